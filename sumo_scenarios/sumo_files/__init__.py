"""SUMO's programs, and what its files hold: networks, demand, configurations."""
