"""The picture of a scenario: its roads, its traffic, its units, and the vehicles in range over time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sumo_scenarios.measuring.report import Measured
from sumo_scenarios.sumo_files.network import Line, Network

_MOST_POINTS = 40_000


def can_draw() -> bool:
    """Returns whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(path: Path, measured: Measured, network: Network, axis: Line | None) -> None:
    """Draws a scenario into a PNG file."""
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    figure = Figure(figsize=(11.0, 6.0), layout="constrained")
    plan, time = figure.subplots(1, 2, width_ratios=(3, 2))
    lines = [np.array(edge.line) for edge in network.edges.values()]
    plan.add_collection(LineCollection(lines, colors="0.75", linewidths=0.8))
    trace = measured.trace
    every = max(1, len(trace.slot) // _MOST_POINTS)
    x, y = trace.xy_m[::every].T
    shown = plan.scatter(x, y, s=1.0, c=trace.speed_mps[::every], cmap="viridis", linewidths=0.0)
    figure.colorbar(shown, ax=plan, label="speed, m/s", location="bottom", shrink=0.6)
    if axis is not None:
        plan.plot(*np.array(axis).T, color="tab:red", linewidth=1.0, label="axis")
    own_x, own_y, _ = measured.own_unit_xyz_m
    plan.add_patch(Circle((own_x, own_y), measured.range_m, fill=False, color="tab:red", linestyle="--"))
    units = np.array(measured.units_xyz_m)
    plan.plot(units[:, 0], units[:, 1], "^", color="black", markersize=6.0, label="roadside units")
    plan.plot(own_x, own_y, "^", color="tab:red", markersize=9.0, label=f"own unit, range {measured.range_m:g} m")
    plan.set(aspect="equal", xlabel="x, m", ylabel="y, m", title=measured.name)
    plan.legend(loc="upper right", fontsize=8)
    near = trace.counts(trace.in_range(measured.own_unit_xyz_m, measured.range_m))
    hours = (trace.first_s + np.arange(trace.num_slots)) / 3600.0
    time.plot(hours, near, color="tab:red", label="in range")
    time.plot(hours, trace.counts(np.ones(len(trace.slot), np.bool_)), color="0.6", linewidth=0.8, label="on the roads")
    time.set(xlabel="simulated time, h", ylabel="vehicles", title="vehicles by time of day", ylim=(0, None))
    time.legend(fontsize=8)
    figure.savefig(path, dpi=110)
