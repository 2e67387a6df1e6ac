"""The traffic of a simulation, second by second, and the number of vehicles that stay in a range."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sumo_scenarios.sumo_files.programs import ImportRefusal
from vec_envs.files import shortened

SLOT_S = 1.0
"""The time between two readings [s]."""
MEASURE_S = 3600.0
"""The default time of traffic that is simulated [s]."""
MOST_READINGS = 6_000_000
"""The largest number of vehicles that are read, each counted in every second: about 100 MB of memory."""
SEARCH_S = 2.0 * 86400.0
"""The time in which the first vehicle must depart [s]."""
_RAISED = re.compile(r"^\S*(?:Exception|Error)(?:: |$)", re.MULTILINE)
"""What a traceback ends with: the name of the exception, before its message of one line or more."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The vehicles of a simulation in each second, in the order of time. Slot 0 has the first vehicle, at `first_s`."""

    first_s: float
    last_s: float
    ended: str
    """Why it ends: `"demand"` is over, its `"end"` is given, or enough is `"measured"`."""
    version: str
    """SUMO's own name and version."""
    persons: int
    types: Sequence[str]
    classes: Sequence[str]
    teleports: Int[np.ndarray, " slots"]
    collisions: Int[np.ndarray, " slots"]
    vehicle: Int[np.ndarray, " readings"]
    slot: Int[np.ndarray, " readings"]
    xy_m: Float[np.ndarray, "readings 2"]
    speed_mps: Float[np.ndarray, " readings"]

    @property
    def num_slots(self) -> int:
        """The number of seconds."""
        return len(self.teleports)

    @property
    def seconds_on_the_way(self) -> Int[np.ndarray, " vehicles"]:
        """How long each vehicle is on the roads [s]."""
        return np.bincount(self.vehicle)

    def in_range(self, unit_xyz_m: Sequence[float], range_m: float) -> Bool[np.ndarray, " readings"]:
        """Returns which readings are in range of a unit."""
        x, y, z = unit_xyz_m
        return ((self.xy_m - np.array((x, y), np.float32)) ** 2).sum(axis=1) <= range_m**2 - z**2

    def counts(self, chosen: Bool[np.ndarray, " readings"]) -> Int[np.ndarray, " slots"]:
        """Returns how many of some readings each second has."""
        return np.bincount(self.slot[chosen], minlength=self.num_slots)

    def staying(self, chosen: Bool[np.ndarray, " readings"], seconds: int) -> Int[np.ndarray, " slots"]:
        """Returns, for each second, how many vehicles are chosen in it and in all that follow, `seconds` in all."""
        vehicle, slot = self.vehicle[chosen], self.slot[chosen]
        order = np.lexsort((slot, vehicle))
        vehicle, slot = vehicle[order], slot[order]
        begins = np.ones(len(slot), np.bool_)
        begins[1:] = (np.diff(vehicle) != 0) | (np.diff(slot) != 1)
        first = slot[begins]
        length = np.diff(np.append(np.flatnonzero(begins), len(slot)))
        first, length = first[length >= seconds], length[length >= seconds]
        change = np.zeros(self.num_slots + 1, np.int64)
        np.add.at(change, first, 1)
        np.add.at(change, first + length - seconds + 1, -1)
        return np.cumsum(change)[:-1]


def measure(
    arguments: Sequence[str],
    *,
    folder: Path,
    end_s: float | None = None,
    measure_s: float = MEASURE_S,
    most_readings: int = MOST_READINGS,
    name: str = "the scenario",
) -> Trace:
    """Simulates the traffic in a process of its own, and returns it from its first vehicle on.

    Args:
        arguments: The arguments of SUMO's command line.
        folder: The folder that the names of files in them are relative to.
        end_s: The time at which the simulation ends.
        measure_s: The longest time that is measured.
        most_readings: The largest number of vehicles that are read, each counted in every second.
        name: What is simulated, for messages.

    Raises:
        ImportRefusal: SUMO cannot run it, or no vehicle departs.
    """
    with tempfile.TemporaryDirectory() as work:
        output = Path(work, "trace.npz")
        request = {
            "arguments": [*arguments, "--step-length", "1", "--no-step-log", "--no-warnings", "--duration-log.disable"],
            "end_s": end_s,
            "measure_s": measure_s,
            "most_readings": most_readings,
            "search_s": SEARCH_S,
            "output": str(output),
        }
        run = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("simulate.py"))],
            cwd=folder,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if run.returncode or not output.is_file():
            raise ImportRefusal(f"SUMO cannot run {name}: {_sumo_reason(run.stderr, run.returncode)}")
        with np.load(output) as arrays:
            return _trace({key: arrays[key] for key in arrays.files}, name)


def _trace(arrays: dict[str, np.ndarray], name: str) -> Trace:
    head: dict[str, Any] = json.loads(str(arrays.pop("head")))
    if head["first_s"] is None:
        raise ImportRefusal(
            f"{name} has no vehicle from second {head['begin_s']:g} to {head['last_s']:g}: give route files with "
            "vehicles that depart in this time"
        )
    return Trace(
        first_s=head["first_s"],
        last_s=head["last_s"],
        ended=head["ended"],
        version=head["version"],
        persons=head["persons"],
        types=arrays["types"].tolist(),
        classes=arrays["classes"].tolist(),
        **{name: arrays[name] for name in ("teleports", "collisions", "vehicle", "slot", "xy_m", "speed_mps")},
    )


def _sumo_reason(output: str, status: int) -> str:
    """Returns SUMO's own words from the output of a process that failed."""
    if status < 0:
        return f"signal {-status} ended it"
    printed, _, traceback = output.partition("Traceback (most recent call last):")
    _, *messages = _RAISED.split(traceback)
    lines = [*printed.splitlines(), *"".join(messages[-1:]).splitlines()]
    return shortened(" ".join(dict.fromkeys(line.strip() for line in lines if line.strip())) or "it gave no reason")
