"""Learners on Tianshou: the only room with torch."""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# How often one of torch's threads looks whether the others are done before it sleeps; read once, as torch is loaded. By
# default they look so long that two threads on two busy cores were half as fast as one.
