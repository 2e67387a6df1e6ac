"""The decision problems: one paper, one file, each a frozen dataclass with a pure `transition`."""
