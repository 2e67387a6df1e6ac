"""Profiles models of public packages, compares them with torch's own counter, and writes `docs/zoo.md`.

This is run by hand, not by CI: `python -m tests.zoo --help`.
"""
