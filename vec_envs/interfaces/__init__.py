"""The interfaces: each adapts the core to one API (Gymnasium, its vector API, PettingZoo)."""
