"""Measures what is hard about a case: how much a metric changes when one thing is changed."""
