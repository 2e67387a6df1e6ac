"""Measures the traffic of a scenario: who is where and when, and which episodes can be had."""
