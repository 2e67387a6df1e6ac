"""Benchmarks: suites of cases that compare policies, the leaderboard, and measurements of speed."""

import sys

from vec_envs.hidden import exit_without, warn_if_hidden

warn_if_hidden("trainers")
if "benchmarks.speed" not in sys.orig_argv:  # most of its measurements need no learner
    exit_without("fastjsonschema", "tianshou", "torch", "tqdm", "tyro", extra="train")
