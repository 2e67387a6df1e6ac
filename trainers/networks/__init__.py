"""Torch modules: agents, mixers, actors and critics."""
