"""Comparing runs: their learning curves, and the tables of their evaluations."""
