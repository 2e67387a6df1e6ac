"""Benchmarks: suites of cases that compare policies, the leaderboard, and measurements of speed."""
