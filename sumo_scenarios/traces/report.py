"""The report of a conversion: what was read, what was cut, and which episodes the traffic allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sumo_scenarios.traces.conversion import Converted
from sumo_scenarios.traces.motion import MOVES_MPS, speeds_mps
from sumo_scenarios.traces.units import unit_warnings
from vec_envs.mobility.replay import eligible_vehicles, suffices
from vec_envs.mobility.traffic import EpisodeShape


def report(path: Path, output: Path, made: Converted, shape: EpisodeShape) -> str:
    """Returns the report of a conversion; `shape` is that of the episodes that are counted."""
    return "\n".join([*_read(path, made), *_road(made), *_speeds(made), *_episodes(output, made, shape)])


def _read(path: Path, made: Converted) -> Iterator[str]:
    steps, samples = made.steps, made.samples
    gap_s, duration_s = steps.gap_s[steps.same], float(np.ptp(steps.time_s))
    yield (
        f"{path}: {len(samples.time_s)} samples of {len(np.unique(samples.vehicle))} vehicles in {duration_s:.6g} s, "
        f"{np.median(gap_s):.3g} s apart as a rule and {gap_s.max():.4g} s at most"
    )
    too_fast = int((steps.speed_mps > made.options.cutting.top_speed_mps).sum())
    gaps = int((gap_s > made.options.cutting.max_gap_s).sum())
    left_out = [(samples.incomplete, "rows without a value"), (steps.repeated, "samples of one vehicle at one time")]
    cuts = [
        (gaps, f"gaps above {made.options.cutting.max_gap_s:g} s"),
        (too_fast, f"jumps above {made.options.cutting.top_speed_mps:g} m/s"),
    ]
    for what, of in (("left out", left_out), ("cut at", cuts)):
        if told := [f"{number} {words}" for number, words in of if number]:
            yield f"{what} {', '.join(told)}"


def _road(made: Converted) -> Iterator[str]:
    x, y, z = made.road.rsu_xyz_m
    if made.projection is not None:
        yield f"metres from longitude {made.projection.lon}, latitude {made.projection.lat} (local plane of WGS 84)"
    axis = np.array(made.road.axis_xy_m)
    road = f"a road of {np.hypot(*np.diff(axis, axis=0).T).sum():.0f} m" if len(axis) else "an area without an axis"
    yield f"unit at ({x:g}, {y:g}, {z:g}) with a range of {made.road.range_m:g} m, on {road}"


def _speeds(made: Converted) -> Iterator[str]:
    options = made.options
    speed_mps = np.concatenate(speeds_mps(made.stays, options.cutting))
    moving = speed_mps[speed_mps > MOVES_MPS]
    if len(moving):
        low, half, high = np.percentile(moving, (5.0, 50.0, 95.0))
        yield (
            f"speeds of moving vehicles {low:.1f}, {half:.1f}, {high:.1f} m/s (5, 50, 95 %); speed limit "
            f"{made.road.speed_limit_mps:g} m/s"
        )
    limit = options.speed_limit_mps is not None
    yield from unit_warnings(made.stays, made.road, options.cutting, made.steps, options.columns, limit=limit)


def _episodes(output: Path, made: Converted, shape: EpisodeShape) -> Iterator[str]:
    present = np.concatenate([window.present.sum(axis=1) for window in made.windows])
    slots = len(made.windows[0].present)
    yield (
        f"{output}: {len(made.windows)} windows of {slots} slots of {shape.slot_s:g} s, with {present.min()} to "
        f"{present.max()} vehicles in range, {present.mean():.1f} on average"
    )
    if shape.num_slots > slots:
        yield (
            f"warning: episodes of {shape.num_slots} slots cannot be had: ask for shorter ones (--env.episode-slots), "
            f"or convert with --slots {shape.num_slots} or more where the trace is as long"
        )
        return
    eligible = [eligible_vehicles(window, shape) for window in made.windows]
    found = sum(int(suffices(window, of, shape).sum()) for window, of in zip(made.windows, eligible, strict=True))
    most = max(int(of.sum(axis=1).max()) for of in eligible)
    roles = f"{shape.num_client_vehicles} clients and {shape.num_service_vehicles} service vehicles"
    yield (
        f"episodes of {shape.num_slots} slots with {roles} can begin in {found} slots; at most {most} vehicles stay in "
        "range so long"
    )
    if not found:
        yield (
            "warning: ask for fewer vehicles (--env.num-client-vehicles, --env.num-service-vehicles) or for shorter "
            "episodes (--env.episode-slots), or convert with a wider --range-m or a longer --max-gap-s"
        )
    yield f"play it with: --env.mobility trace --env.scenario {output}"
