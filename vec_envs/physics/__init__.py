"""Equations of the papers, as pure functions of arrays with leading batch axes. One family for each module."""
