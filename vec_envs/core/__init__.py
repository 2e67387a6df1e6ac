"""The core: a batch of environments that step together, independent of any reinforcement learning API."""
