"""Measures the traffic of a scenario: which vehicles are where and when, and which episodes it allows."""
