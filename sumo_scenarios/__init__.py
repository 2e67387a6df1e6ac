"""Roads for SUMO. A folder for each road holds its network, its traffic and its `scenario.toml`."""
