"""The process that runs SUMO: reads requests for windows on its standard input, answers on its standard output.

Started by file name, so that it imports SUMO and the standard library only. A request is one line of JSON and holds all
that defines its answer (the seed of a simulation, which window of it, the shape); a simulation left over from the last
request is used only where going on with it gives the same. An answer is one line of JSON, followed by the window's
numbers. Speeds after the first slot follow from the places: asking SUMO for them is a tenth of the cost of a slot.
"""

from __future__ import annotations

import ctypes
import gc
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
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from itertools import chain, compress, pairwise
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol, cast, runtime_checkable

SIGKILL = 9
PR_SET_PDEATHSIG = 1
LOADER_FAILED = 127
MAX_MISSES = 20
SYSTEM_LIBRARIES = "libatomic1 libx11-6 libxext6 libxrender1 libgl1"


Place = tuple[float, float]


class WorkerError(Exception):
    """What the user must know and do."""


class SumoRefusal(Exception):
    """SUMO's own words on why it cannot go on."""


@runtime_checkable
class Simulator(Protocol):
    """The calls on SUMO that a window needs; `load` and `step` raise `SumoRefusal`."""

    def load(self, arguments: list[str]) -> None: ...
    def step(self) -> None: ...
    def vehicle_ids(self) -> list[str]: ...
    def vehicle_type(self, vehicle: str) -> str: ...
    def places(self, vehicles: list[str]) -> list[Place | None]:
        """Where vehicles are that were there a step ago, `None` for one that left."""
        ...

    def speeds(self, vehicles: list[str]) -> list[float]:
        """Of vehicles that were asked for their places just now."""
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
            raise SumoRefusal(str(error)) from error

    def step(self) -> None:
        try:
            self._sumo.simulationStep()
        except self._errors as error:
            raise SumoRefusal(str(error)) from error

    def vehicle_ids(self) -> list[str]:
        return list(self._sumo.vehicle.getIDList())

    def vehicle_type(self, vehicle: str) -> str:
        return self._sumo.vehicle.getTypeID(vehicle)

    def places(self, vehicles: list[str]) -> list[Place | None]:
        place = self._sumo.vehicle.getPosition
        try:
            return [place(vehicle) for vehicle in vehicles]
        except self._errors:
            present = set(self.vehicle_ids())
            return [place(vehicle) if vehicle in present else None for vehicle in vehicles]

    def speeds(self, vehicles: list[str]) -> list[float]:
        return [self._sumo.vehicle.getSpeed(vehicle) for vehicle in vehicles]

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
        self._errors: tuple[type[Exception], ...] = (traci.TraCIException, traci.FatalTraCIError, OSError)
        self._command = [_program(program), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._sumo: Any = None
        self._subscribed: set[str] = set()

    def load(self, arguments: list[str]) -> None:
        self._subscribed.clear()
        try:
            if self._process is None:
                self._connect(arguments)
            else:
                self._sumo.load(arguments)
        except self._errors as error:
            self._explain(error)

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
        # traci prints a line a retry, which would hide what SUMO says.
        with redirect_stdout(StringIO()):
            self._sumo = self._traci.connect(port, numRetries=1000, proc=self._process, waitBetweenRetries=0.01)

    def _explain(self, error: Exception) -> NoReturn:
        """SUMO that ended by itself said why; a crash of it is raised as it came, and makes the parent try again."""
        status = 0
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(timeout=2.0)
        if status < 0:
            raise error
        if status == LOADER_FAILED:
            raise WorkerError(
                f"SUMO's program lacks a system library; on Debian or Ubuntu: apt-get install {SYSTEM_LIBRARIES}"
            ) from error
        raise SumoRefusal(str(error)) from error

    def step(self) -> None:
        try:
            self._sumo.simulationStep()
        except self._errors as error:
            self._explain(error)

    def vehicle_ids(self) -> list[str]:
        return list(self._sumo.vehicle.getIDList())

    def vehicle_type(self, vehicle: str) -> str:
        return self._sumo.vehicle.getTypeID(vehicle)

    def places(self, vehicles: list[str]) -> list[Place | None]:
        domain, place = self._sumo.vehicle, self._traci.constants.VAR_POSITION
        for vehicle in vehicles:
            if vehicle not in self._subscribed:
                domain.subscribe(vehicle, (place, self._traci.constants.VAR_SPEED))
                self._subscribed.add(vehicle)
        found: dict[str, dict[int, Any]] = domain.getAllSubscriptionResults()
        return [found[vehicle][place] if vehicle in found else None for vehicle in vehicles]

    def speeds(self, vehicles: list[str]) -> list[float]:
        found: dict[str, dict[int, Any]] = self._sumo.vehicle.getAllSubscriptionResults()
        return [found[vehicle][self._traci.constants.VAR_SPEED] for vehicle in vehicles]

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
    """The vehicles that were there, in range, in every slot: their places slot by slot, their speeds in the first."""

    places: dict[str, list[Place]]
    first_speeds: list[float]
    may_be_client: list[bool]
    may_be_service: list[bool]

    def numbers(self) -> bytes:
        """Native doubles: the first speeds, then the places, [vehicles, slots, (x, y)]."""
        places = chain.from_iterable(chain.from_iterable(self.places.values()))
        return array("d", chain(self.first_speeds, places)).tobytes()

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
        try:
            if tape != self._tape or index < self._next_window:
                self._load(tape)
            while True:
                found = self._next_valid(tape)
                self._next_window += 1
                if self._next_window > index:
                    return found
        except SumoRefusal as error:
            files = " with ".join([self._settings["net_file"], *self._settings["route_files"]])
            raise WorkerError(f"SUMO cannot run {files}: {' '.join(str(error).split())}") from error

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
            most = max(most, len(window.places))
        raise WorkerError(
            f"{MAX_MISSES} windows of {tape.num_slots} slots in a row had at most {most} vehicles in range throughout, "
            f"asked for are {tape.num_clients} clients and {tape.num_services} service vehicles; ask for fewer or for "
            "shorter episodes, or take a scenario with denser traffic, a wider range or more types for the roles"
        )

    def _simulate(self, tape: Tape) -> Window:
        vehicles: list[str] = []
        columns: list[list[Place]] = []
        speeds: dict[str, float] = {}
        for slot in range(tape.num_slots):
            for _ in range(self._steps_per_slot):
                self._simulator.step()
            if slot == 0:
                vehicles = self._simulator.vehicle_ids()
                columns = [[] for _ in vehicles]
            places = self._simulator.places(vehicles)
            valid = self._in_range(places)
            if not all(valid):
                vehicles = list(compress(vehicles, valid))
                columns = list(compress(columns, valid))
                places = compress(places, valid)
            for column, place in zip(columns, places, strict=True):
                column.append(cast(Place, place))
            if slot == 0:
                speeds = dict(zip(vehicles, self._simulator.speeds(vehicles), strict=True))
        kept = {
            vehicle: column for vehicle, column in zip(vehicles, columns, strict=True) if not self._jumps(column, tape)
        }
        return Window(
            places=kept,
            first_speeds=[speeds[vehicle] for vehicle in kept],
            may_be_client=self._are_of(kept, self._settings["client_types"]),
            may_be_service=self._are_of(kept, self._settings["service_types"]),
        )

    def _in_range(self, places: list[Place | None]) -> list[bool]:
        rsu_x, rsu_y, rsu_z = self._settings["rsu_xyz_m"]
        reach = self._settings["range_m"] ** 2 - rsu_z**2
        try:
            return [(dx := x - rsu_x) * dx + (dy := y - rsu_y) * dy <= reach for x, y in cast(list[Place], places)]
        except TypeError:
            return [p is not None and (p[0] - rsu_x) ** 2 + (p[1] - rsu_y) ** 2 <= reach for p in places]

    def _jumps(self, column: list[Place], tape: Tape) -> bool:
        """Whether SUMO moved the vehicle faster than a vehicle drives: it does that where traffic is stuck."""
        farthest = (self._settings["top_speed_mps"] * tape.slot_ms / 1000.0) ** 2
        return any((x - u) * (x - u) + (y - v) * (y - v) > farthest for (u, v), (x, y) in pairwise(column))

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
    # Nothing here makes reference cycles, and looking for them costs a twentieth of the simulation.
    gc.disable()
    # libsumo imports numpy, whose threads would only get in the way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
