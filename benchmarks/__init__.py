"""Benchmarks: suites of cases that compare policies, the leaderboard, and measurements of speed."""

from vec_envs.hidden import warn_if_hidden

warn_if_hidden("trainers")
