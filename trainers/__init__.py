"""Learners, built on Tianshou. This is the only package that uses torch."""

import os

from vec_envs.hidden import exit_without

exit_without("fastjsonschema", "tensorboard", "tianshou", "torch", "tqdm", "tyro", extra="train")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# The number of times that an idle torch thread spins before it sleeps. OpenMP reads it once, when torch is loaded. Its
# default is much larger: with it, two threads on two busy cores were half as fast as one thread.
