"""The decision problems: one folder for each paper, each problem a frozen dataclass with a pure `transition`."""
