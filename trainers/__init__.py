"""Learners on Tianshou: the only room with torch."""
