"""The process that measures a simulation, so that a fault of SUMO cannot end the command.

It reads a request (a line of JSON) from its standard input, and writes an archive of arrays. Its imports are those of
the standard library and libsumo, as in `vec_envs.mobility.sumo_worker`.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from typing import Any

SLOT_S = 1.0


class Readings:
    """The places and speeds of all vehicles in each second, as flat columns."""

    def __init__(self) -> None:
        self.vehicle, self.slot = array("i"), array("i")
        self.x, self.y, self.speed = array("f"), array("f"), array("f")
        self.number: dict[str, int] = {}
        self.types: list[str] = []
        self.classes: list[str] = []
        self.teleports, self.collisions = array("i"), array("i")
        self.persons = 0

    def read(self, sumo: Any, slot: int) -> None:
        """Reads the present second."""
        self.teleports.append(sumo.simulation.getStartingTeleportNumber())
        self.collisions.append(sumo.simulation.getCollidingVehiclesNumber())
        vehicles = sumo.vehicle
        for name in vehicles.getIDList():
            number = self.number.get(name)
            if number is None:
                number = self.number[name] = len(self.number)
                self.types.append(vehicles.getTypeID(name))
                self.classes.append(vehicles.getVehicleClass(name))
            x, y = vehicles.getPosition(name)
            self.vehicle.append(number)
            self.slot.append(slot)
            self.x.append(x)
            self.y.append(y)
            self.speed.append(vehicles.getSpeed(name))
        self.persons = max(self.persons, sumo.person.getIDCount())


def simulate(request: dict[str, Any]) -> tuple[Readings, dict[str, Any]]:
    """Runs a simulation from the first vehicle on, and returns what it showed."""
    import libsumo

    sumo: Any = libsumo
    sumo.start(["sumo", *request["arguments"]])
    begin_s = now_s = float(sumo.simulation.getTime())
    readings, ended = Readings(), ""
    first_s: float | None = None
    while not ended:
        sumo.simulationStep()
        now_s = float(sumo.simulation.getTime())
        if first_s is None and sumo.vehicle.getIDCount():
            first_s = now_s
        if first_s is not None:
            readings.read(sumo, round((now_s - first_s) / SLOT_S))
        ended = _end(sumo, request, now_s, first_s, len(readings.vehicle))
    head: dict[str, Any] = {
        "begin_s": begin_s,
        "first_s": first_s,
        "last_s": now_s,
        "ended": ended,
        "version": sumo.getVersion()[1],
    }
    return readings, head


def _end(sumo: Any, request: dict[str, Any], now_s: float, first_s: float | None, readings: int) -> str:
    """Returns why the simulation ends now, or "" if it does not."""
    end_s = request["end_s"]
    if end_s is not None and now_s >= end_s:
        return "end"
    if sumo.simulation.getMinExpectedNumber() <= 0:
        return "demand"
    if first_s is not None and (now_s - first_s >= request["measure_s"] or readings >= request["most_readings"]):
        return "measured"
    return "empty" if first_s is None and now_s >= request["search_s"] else ""


def main() -> None:
    """Measures the simulation of the request on the standard input."""
    import numpy as np

    request = json.loads(sys.stdin.readline())
    readings, head = simulate(request)
    with open(request["output"], "wb") as file:
        np.savez(
            file,
            head=np.array(json.dumps({**head, "persons": readings.persons})),
            types=np.array(readings.types, dtype=np.str_),
            classes=np.array(readings.classes, dtype=np.str_),
            teleports=np.array(readings.teleports),
            collisions=np.array(readings.collisions),
            vehicle=np.array(readings.vehicle),
            slot=np.array(readings.slot),
            xy_m=np.stack((readings.x, readings.y), axis=-1),
            speed_mps=np.array(readings.speed),
        )
    sys.stdout.flush()
    # libsumo's own clean-up may fail at the ordinary exit.
    os._exit(0)


if __name__ == "__main__":
    main()
