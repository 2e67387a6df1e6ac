"""Blind references and the seer: what can be reached without seeing anything, and by foreseeing everything."""
