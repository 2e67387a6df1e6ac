"""A leaderboard to read: one HTML page that needs no network, and a table for a README."""
