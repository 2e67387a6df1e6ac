"""Writes a scenario: its `scenario.toml`, and its folder, which appears only when it is complete."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sumo_scenarios.importing.placing import Places
from sumo_scenarios.sumo_files.network import Line
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source
from vec_envs.files import reason_not_to_write


@dataclass(frozen=True, kw_only=True)
class Description:
    """All that a `scenario.toml` says. `files` has the copies in the scenario's folder."""

    title: str
    files: Source
    places: Places
    axis: Line | None
    range_m: float
    speed_limit_mps: float
    top_speed_mps: float
    warm_up_s: float
    start_s: float | None
    end_s: float | None
    role_types: tuple[str, ...] | None


def scenario_text(description: Description) -> str:
    """Returns the text of `scenario.toml`."""
    files = description.files
    lines = [
        f"# {' '.join(description.title.split())}\n",
        "# Written by python -m sumo_scenarios.import_scenario. Places are in metres, in the plane of the network.\n",
        f"net_file = {json.dumps(files.net_file.name)}\n",
        _list("route_files", [path.name for path in files.route_files]),
    ]
    if files.additional_files:
        lines.append(_list("additional_files", [path.name for path in files.additional_files]))
    lines.append("# A simulation runs this long before its first window.\n")
    lines.append(f"warm_up_s = {description.warm_up_s:.1f}\n")
    if description.end_s is not None:
        lines.append("# Simulated times between which there is traffic for episodes.\n")
        lines.append(f"start_s = {description.start_s or 0.0:.1f}\nend_s = {description.end_s:.1f}\n")
    elif description.start_s:
        lines.append(f"start_s = {description.start_s:.1f}\n")
    lines.append("# A vehicle that seems faster than this was teleported by SUMO.\n")
    lines.append(f"top_speed_mps = {description.top_speed_mps:.1f}\n")
    if description.role_types is not None:
        lines.append("# SUMO vehicle types that may be clients or service vehicles.\n")
        lines += [_list(name, list(description.role_types)) for name in ("client_types", "service_types")]
    if files.options:
        lines.append("\n# Options of SUMO.\n[sumo]\n")
        lines += [f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in files.options.items()]
    return "".join([*lines, *_road(description)])


def _road(description: Description) -> list[str]:
    places = description.places
    lines = [
        f"\n[road]\nspeed_limit_mps = {description.speed_limit_mps:g}\n",
        f"range_m = {description.range_m:g}\nrsu_xyz_m = {list(places.own)}\n",
    ]
    if len(places.units) > 1:
        lines.append("units_xyz_m = [\n" + "".join(f"    {list(unit)},\n" for unit in places.units) + "]\n")
    if description.axis is not None:
        lines.append("# The line of the street; positions along it grow in its direction.\n")
        lines.append("axis_xy_m = [\n" + "".join(f"    [{x}, {y}],\n" for x, y in description.axis) + "]\n")
    return lines


def _list(name: str, values: list[str]) -> str:
    """Returns a key with a list of texts, a text a line if there are several: the length of a line is limited."""
    if len(values) < 2:
        return f"{name} = {json.dumps(values)}\n"
    return f"{name} = [\n" + "".join(f"    {json.dumps(value)},\n" for value in values) + "]\n"


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raises `ImportRefusal` if a scenario cannot be written to a folder. Called before anything is simulated."""
    if not target.parent.is_dir():
        raise ImportRefusal(f"--output must be in a folder that exists, got {target}")
    if reason := reason_not_to_write(target.parent):
        raise ImportRefusal(f"--output {target} cannot be written: {reason}")
    if target.exists() and not target.is_dir():
        raise ImportRefusal(f"--output must be a folder, got the file {target}")
    if target.exists() and not overwrite:
        raise ImportRefusal(f"{target} exists; choose another --output, or add --overwrite")
    if target.exists() and not (target / "scenario.toml").is_file():
        raise ImportRefusal(f"--overwrite replaces scenarios only, and {target} has no scenario.toml")


def write_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Fills a temporary folder beside the target, and renames it when it is complete."""
    staged = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fill(staged)
        staged.chmod(0o755)
        if target.exists():
            aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            target.rename(aside / "old")
            staged.rename(target)
            shutil.rmtree(aside)
        else:
            staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
