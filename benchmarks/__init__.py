"""Speed, and suites of cases that compare policies; the leaderboard comes later."""
