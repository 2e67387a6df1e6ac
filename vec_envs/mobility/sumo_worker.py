"""The process that runs SUMO: reads requests for windows on its standard input, answers on its standard output.

Started by file name, so that it imports SUMO and the standard library only. A request is one line of JSON and holds all
that defines its answer (the seed of a simulation, which window of it, the shape); a simulation left over from the last
request is used only where going on with it gives the same. An answer is one line of JSON, followed by the window's
numbers as native doubles, [vehicles, slots, (x, y, speed)].
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, compress, pairwise
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol, cast

SIGKILL = 9
PR_SET_PDEATHSIG = 1
MAX_MISSES = 20
SYSTEM_LIBRARIES = "libatomic1 libx11-6 libxext6 libxrender1 libgl1"


State = tuple[float, float, float]
"""Place and speed of a vehicle: x, y, speed."""


class WorkerError(Exception):
    """What the user must know and do."""


class Simulator(Protocol):
    """The calls on SUMO that a window needs."""

    def load(self, arguments: list[str]) -> None: ...
    def step(self) -> None: ...
    def vehicle_ids(self) -> list[str]: ...
    def vehicle_type(self, vehicle: str) -> str: ...
    def states(self, vehicles: list[str]) -> list[State | None]:
        """Where vehicles are that were there a step ago, `None` for one that left."""
        ...

    def close(self) -> None: ...


class Libsumo:
    """SUMO inside this process; plain getters are fastest."""

    def __init__(self) -> None:
        try:
            import libsumo
        except ImportError as error:
            if ".so" in str(error):
                raise WorkerError(
                    f"libsumo lacks a system library ({error}); on Debian or Ubuntu: apt-get install {SYSTEM_LIBRARIES}"
                ) from error
            raise WorkerError("libsumo is missing; install it with: pip install libsumo") from error
        self._sumo: Any = libsumo
        self._errors: tuple[type[Exception], ...] = (libsumo.TraCIException, libsumo.FatalTraCIError)
        self._started = False

    def load(self, arguments: list[str]) -> None:
        try:
            if self._started:
                self._sumo.load(arguments)
            else:
                self._sumo.start(["sumo", *arguments])
                self._started = True
        except self._errors as error:
            raise WorkerError(f"SUMO refuses the scenario: {error}") from error

    def step(self) -> None:
        self._sumo.simulationStep()

    def vehicle_ids(self) -> list[str]:
        return list(self._sumo.vehicle.getIDList())

    def vehicle_type(self, vehicle: str) -> str:
        return self._sumo.vehicle.getTypeID(vehicle)

    def states(self, vehicles: list[str]) -> list[State | None]:
        position, speed = self._sumo.vehicle.getPosition, self._sumo.vehicle.getSpeed
        try:
            return [(*position(vehicle), speed(vehicle)) for vehicle in vehicles]
        except self._errors:
            present = set(self.vehicle_ids())
            return [(*position(vehicle), speed(vehicle)) if vehicle in present else None for vehicle in vehicles]

    def close(self) -> None:
        """Nothing outlives this process."""


class Traci:
    """SUMO in a process of its own; subscriptions are fastest."""

    def __init__(self, program: str, arguments: list[str]) -> None:
        try:
            import traci
        except ImportError as error:
            raise WorkerError("traci is missing; install it with: pip install traci") from error
        self._traci: Any = traci
        self._command = [_program(program), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._sumo: Any = None

    def load(self, arguments: list[str]) -> None:
        try:
            if self._process is None:
                self._connect(arguments)
            else:
                self._sumo.load(arguments)
        except (self._traci.TraCIException, self._traci.FatalTraCIError, OSError) as error:
            raise WorkerError(f"SUMO refuses the scenario: {error}") from error
        self._subscribed: set[str] = set()

    def _connect(self, arguments: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [*self._command, *arguments, "--remote-port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._sumo = self._traci.connect(port, numRetries=1000, proc=self._process, waitBetweenRetries=0.01)

    def step(self) -> None:
        self._sumo.simulationStep()

    def vehicle_ids(self) -> list[str]:
        return list(self._sumo.vehicle.getIDList())

    def vehicle_type(self, vehicle: str) -> str:
        return self._sumo.vehicle.getTypeID(vehicle)

    def states(self, vehicles: list[str]) -> list[State | None]:
        constants, domain = self._traci.constants, self._sumo.vehicle
        wanted = (constants.VAR_POSITION, constants.VAR_SPEED)
        for vehicle in vehicles:
            if vehicle not in self._subscribed:
                domain.subscribe(vehicle, wanted)
                self._subscribed.add(vehicle)
        found: dict[str, dict[int, Any]] = domain.getAllSubscriptionResults()
        rows = (found.get(vehicle) for vehicle in vehicles)
        return [(*row[constants.VAR_POSITION], row[constants.VAR_SPEED]) if row else None for row in rows]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, kw_only=True)
class Tape:
    """What defines a simulation and how it is cut into windows."""

    seed: int
    num_slots: int
    slot_ms: int
    num_clients: int
    num_services: int


@dataclass(frozen=True, kw_only=True)
class Window:
    """The vehicles that were there, in range, in every slot, and their states slot by slot."""

    states: dict[str, list[State]]
    may_be_client: list[bool]
    may_be_service: list[bool]

    def numbers(self) -> bytes:
        """Native doubles, [vehicles, slots, (x, y, speed)]."""
        return array("d", chain.from_iterable(chain.from_iterable(self.states.values()))).tobytes()

    def suffices(self, tape: Tape) -> bool:
        """Whether disjoint clients and service vehicles exist."""
        either = sum(map(max, self.may_be_client, self.may_be_service))
        return (
            sum(self.may_be_client) >= tape.num_clients
            and sum(self.may_be_service) >= tape.num_services
            and either >= tape.num_clients + tape.num_services
        )


class Server:
    """Serves windows of one scenario from one simulator."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._simulator = _simulator(settings)
        self._tape: Tape | None = None
        self._next_window = 0
        self._steps_per_slot = 1

    def window(self, tape: Tape, index: int) -> Window:
        """The window of that index; goes on with the simulation at hand where it can."""
        if tape != self._tape or index < self._next_window:
            self._load(tape)
        while self._next_window <= index:
            found = self._next_valid(tape)
            self._next_window += 1
        return found  # pyright: ignore[reportPossiblyUnbound]: the loop runs at least once

    def close(self) -> None:
        self._simulator.close()

    def _load(self, tape: Tape) -> None:
        # SUMO moves vehicles well in steps of at most a second, and counts in milliseconds.
        fewest = math.ceil(tape.slot_ms / 1000)
        self._steps_per_slot = next(n for n in range(fewest, tape.slot_ms + 1) if tape.slot_ms % n == 0)
        step_s = tape.slot_ms / self._steps_per_slot / 1000.0
        options = ["--net-file", self._settings["net_file"], "--route-files", ",".join(self._settings["route_files"])]
        options += ["--seed", str(tape.seed), "--step-length", f"{step_s:.3f}", "--xml-validation", "never"]
        options += ["--no-step-log", "--no-warnings", "--duration-log.disable"]
        self._tape = None
        self._simulator.load(options)
        for _ in range(math.ceil(self._settings["warm_up_s"] / step_s)):
            self._simulator.step()
        self._tape, self._next_window = tape, 0

    def _next_valid(self, tape: Tape) -> Window:
        most = 0
        for _ in range(MAX_MISSES):
            window = self._simulate(tape)
            if window.suffices(tape):
                return window
            most = max(most, len(window.states))
        raise WorkerError(
            f"{MAX_MISSES} windows of {tape.num_slots} slots in a row had at most {most} vehicles in range for the whole "
            f"window, where {tape.num_clients} clients and {tape.num_services} service vehicles are asked for; ask for "
            "fewer vehicles or shorter episodes, or take a scenario with denser traffic, a wider range or more vehicle "
            "types for the roles"
        )

    def _simulate(self, tape: Tape) -> Window:
        vehicles: list[str] = []
        columns: list[list[State]] = []
        for slot in range(tape.num_slots):
            for _ in range(self._steps_per_slot):
                self._simulator.step()
            if slot == 0:
                vehicles = self._simulator.vehicle_ids()
                columns = [[] for _ in vehicles]
            states = self._simulator.states(vehicles)
            valid = self._in_range(states)
            if not all(valid):
                vehicles = list(compress(vehicles, valid))
                columns = list(compress(columns, valid))
                states = compress(states, valid)
            for column, state in zip(columns, states, strict=True):
                column.append(cast(State, state))
        kept = {vehicle: column for vehicle, column in zip(vehicles, columns, strict=True) if not self._jumps(column, tape)}
        return Window(
            states=kept,
            may_be_client=self._are_of(kept, self._settings["client_types"]),
            may_be_service=self._are_of(kept, self._settings["service_types"]),
        )

    def _in_range(self, states: list[State | None]) -> list[bool]:
        rsu_x, rsu_y, rsu_z = self._settings["rsu_xyz_m"]
        reach = self._settings["range_m"] ** 2 - rsu_z**2
        try:
            return [(dx := s[0] - rsu_x) * dx + (dy := s[1] - rsu_y) * dy <= reach for s in cast(list[State], states)]
        except TypeError:
            return [s is not None and (s[0] - rsu_x) ** 2 + (s[1] - rsu_y) ** 2 <= reach for s in states]

    def _jumps(self, column: list[State], tape: Tape) -> bool:
        """Whether SUMO moved the vehicle faster than a vehicle drives: it does that where traffic is stuck."""
        farthest = (self._settings["top_speed_mps"] * tape.slot_ms / 1000.0) ** 2
        return any((x - u) * (x - u) + (y - v) * (y - v) > farthest for (u, v, _), (x, y, _) in pairwise(column))

    def _are_of(self, vehicles: Iterable[str], types: list[str] | None) -> list[bool]:
        return [types is None or self._simulator.vehicle_type(vehicle) in types for vehicle in vehicles]


def _simulator(settings: dict[str, Any]) -> Simulator:
    if settings["backend"] == "libsumo":
        return Libsumo()
    if settings["backend"] == "traci":
        return Traci("sumo", [])
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise WorkerError('sumo_backend="traci-gui" needs a display, but DISPLAY is not set; use "libsumo" or "traci"')
    return Traci("sumo-gui", ["--start", "--quit-on-end", "--delay", str(settings["gui_delay_ms"])])


def _program(name: str) -> str:
    """SUMO's program: of the `eclipse-sumo` package where it is installed, else the one on the path."""
    spec = find_spec("sumo")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder, "bin").glob(f"{name}*"):
            if path.stem == name:
                return str(path)
    found = shutil.which(name)
    if found is None:
        raise WorkerError(f'the program {name} is missing; install it with: pip install "vec-envs[sumo]"')
    return found


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    server = Server(json.loads(requests.readline()))

    def stop(*_: object) -> NoReturn:
        server.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        for line in requests:
            request = json.loads(line)
            index = request.pop("index")
            window = server.window(Tape(**request), index)
            head = {"may_be_client": window.may_be_client, "may_be_service": window.may_be_service}
            answers.write(json.dumps(head).encode() + b"\n" + window.numbers())
            answers.flush()
    finally:
        server.close()


def main() -> None:
    """Serves until the standard input ends."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        _die_with_parent()
        if os.getppid() != parent:
            return
    # SUMO and traci print to the standard output: that goes to the standard error, the answers keep the real one.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _serve(sys.stdin.buffer, answers)
    except WorkerError as error:
        answers.write(json.dumps({"error": str(error)}).encode() + b"\n")
        answers.flush()
    # Not by the ordinary way out: libsumo's own tidying up has nothing to do and may fail.
    os._exit(0)


if __name__ == "__main__":
    main()
