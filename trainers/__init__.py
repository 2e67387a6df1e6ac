"""Learners, built on Tianshou. This is the only package that uses torch."""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# A thread of torch that waits for the others spins so many times before it sleeps. OpenMP reads the number once, when
# torch is loaded. With its much larger default, two threads on two busy cores were half as fast as one thread.
