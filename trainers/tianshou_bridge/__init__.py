"""The parts between batched environments and Tianshou, other than algorithms."""
