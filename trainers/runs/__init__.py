"""Runs: their options on the command line, their folder, and their evaluation."""
