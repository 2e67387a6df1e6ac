"""Measurements: speed now, suites and the leaderboard later."""
