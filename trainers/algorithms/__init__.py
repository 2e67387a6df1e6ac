"""The algorithms: Tianshou's where it has them, on its base classes where it has not."""
