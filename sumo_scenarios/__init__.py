"""Roads for SUMO: one folder a road, holding its network, its traffic and what the environments must know of it."""
