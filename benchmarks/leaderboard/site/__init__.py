"""The published leaderboard: one HTML page that needs no network, and tables in Markdown."""
