"""Torch modules; every one handles all agents in one batched matrix product."""
