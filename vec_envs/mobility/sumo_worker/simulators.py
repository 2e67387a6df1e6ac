"""The calls to SUMO that a window needs: inside this process (libsumo), or to another program (TraCI)."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn, Protocol, runtime_checkable

from .survey import Place, Survey, survey

SIGKILL = 9
PR_SET_PDEATHSIG = 1
LOADER_FAILED = 127
MAX_STARTS, RETRY_S, MAX_RETRIES = 5, 0.01, 10**9
"""Connecting is tried again while SUMO's program runs: the parent decides how long an answer may take."""
SYSTEM_LIBRARIES = "libatomic1 libx11-6 libxext6 libxrender1 libgl1"


class WorkerError(Exception):
    """An error that the user can fix; the message says how."""


class SumoRefusal(Exception):
    """SUMO cannot continue; the message is SUMO's own."""


class ProgramKilled(Exception):
    """A signal ended SUMO's program."""

    def __init__(self, signal: int) -> None:
        super().__init__(f"signal {signal} ended SUMO's program")
        self.signal = signal


class _NotOurs(Exception):
    """Another program has the port that SUMO was started with."""


@runtime_checkable
class Simulator(Protocol):
    """The calls to SUMO that a window needs. `load` and `step` raise `SumoRefusal`."""

    def load(self, arguments: list[str]) -> None:
        """Starts a simulation with the arguments of SUMO's command line."""
        ...

    def step(self) -> None:
        """Simulates one step."""
        ...

    def vehicle_ids(self) -> list[str]:
        """Returns the vehicles that are on the road."""
        ...

    def vehicle_type(self, vehicle: str) -> str:
        """Returns the SUMO type of a vehicle that is on the road."""
        ...

    def places(self, vehicles: list[str]) -> list[Place | None]:
        """Returns the places [m] of vehicles that were on the road one step ago, `None` for those that left."""
        ...

    def speeds(self, vehicles: list[str]) -> list[float]:
        """Returns the speeds [m/s] of vehicles whose places were requested in this step."""
        ...

    def survey(self) -> Survey:
        """Returns what the simulation holds now; slow, and asked for the message of an error only."""
        ...

    def close(self) -> None:
        """Ends SUMO's process, if there is one."""
        ...


class Libsumo:
    """SUMO inside this process, where plain getters are fastest."""

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

    def survey(self) -> Survey:
        return survey(self._sumo)

    def close(self) -> None:
        """Does nothing: the simulation ends with this process."""


class Traci:
    """SUMO in another process, where subscriptions are fastest."""

    def __init__(self, program: str, arguments: list[str]) -> None:
        try:
            import traci
        except ImportError as error:
            raise WorkerError("traci is missing; install it with: pip install traci") from error
        self._traci: Any = traci
        self._errors: tuple[type[Exception], ...] = (traci.TraCIException, traci.FatalTraCIError, OSError)
        self._command = [program_path(program), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._sumo: Any = None
        self._subscribed: set[str] = set()

    def load(self, arguments: list[str]) -> None:
        self._subscribed.clear()
        with self._explained():
            if self._process is None:
                self._connect(arguments)
            else:
                self._sumo.load(arguments)

    def _connect(self, arguments: list[str]) -> None:
        """Starts SUMO's program and connects to it; starts again with another port where that one is in use."""
        for start in range(MAX_STARTS):
            try:
                self._start(arguments)
            except _NotOurs as error:
                self.close()
                if start == MAX_STARTS - 1:
                    raise WorkerError(f"{MAX_STARTS} starts of SUMO failed, the last one because {error}") from error
            else:
                return

    def _start(self, arguments: list[str]) -> None:
        """Starts SUMO's program once and connects to it. Raises `_NotOurs` where another program has the port."""
        self._sumo = None
        mark = f"vec-envs-{os.urandom(16).hex()}"  # the value of an option without effect: SUMO writes no files here
        with _free_port() as held:
            port = held.getsockname()[1]
            self._process = self._run([*arguments, "--output-prefix", mark, "--remote-port", str(port)])
            try:
                # traci prints a line for each retry, which would hide SUMO's own messages.
                with redirect_stdout(StringIO()):
                    self._sumo = self._traci.connect(port, MAX_RETRIES, "127.0.0.1", self._process, RETRY_S)
                answered = self._sumo.simulation.getOption("output-prefix")
            except Exception as error:  # any error, since the answer may be that of any program
                if self._ended_by_itself() and not _in_use(port):
                    raise
                raise _NotOurs(f"port {port} is in use by another program") from error
        if answered != mark:
            raise _NotOurs(f"another simulation answered on port {port}")

    def _ended_by_itself(self) -> bool:
        """Returns whether SUMO's program has ended, or ends within two seconds."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)
        return self._process.returncode is not None

    def _run(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Starts SUMO's program."""
        try:
            return subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise WorkerError(f"the program {self._command[0]} cannot be started: {error}") from error

    def _explain(self, error: Exception) -> NoReturn:
        """Raises the reason of an error. After a crash of SUMO the parent restarts the worker."""
        status = 0
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(timeout=2.0)
        if status < 0:
            raise ProgramKilled(-status) from error
        if status == LOADER_FAILED:
            raise WorkerError(
                f"SUMO's program lacks a system library; on Debian or Ubuntu: apt-get install {SYSTEM_LIBRARIES}"
            ) from error
        raise SumoRefusal(str(error)) from error

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Raises the reason of an error in its block. SUMO's program may end before any of its answers."""
        try:
            yield
        except self._errors as error:
            self._explain(error)

    def step(self) -> None:
        with self._explained():
            self._sumo.simulationStep()

    def vehicle_ids(self) -> list[str]:
        with self._explained():
            return list(self._sumo.vehicle.getIDList())

    def vehicle_type(self, vehicle: str) -> str:
        with self._explained():
            return self._sumo.vehicle.getTypeID(vehicle)

    def places(self, vehicles: list[str]) -> list[Place | None]:
        domain, place = self._sumo.vehicle, self._traci.constants.VAR_POSITION
        with self._explained():
            for vehicle in vehicles:
                if vehicle not in self._subscribed:
                    domain.subscribe(vehicle, (place, self._traci.constants.VAR_SPEED))
                    self._subscribed.add(vehicle)
        found: dict[str, dict[int, Any]] = domain.getAllSubscriptionResults()
        return [found[vehicle][place] if vehicle in found else None for vehicle in vehicles]

    def speeds(self, vehicles: list[str]) -> list[float]:
        found: dict[str, dict[int, Any]] = self._sumo.vehicle.getAllSubscriptionResults()
        return [found[vehicle][self._traci.constants.VAR_SPEED] for vehicle in vehicles]

    def survey(self) -> Survey:
        with self._explained():
            return survey(self._sumo)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def simulator(settings: dict[str, Any]) -> Simulator:
    """Returns the simulator of the settings' `backend`. Raises `WorkerError` if it is not installed or cannot run."""
    if settings["backend"] == "libsumo":
        return Libsumo()
    if settings["backend"] == "traci":
        return Traci("sumo", [])
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise WorkerError('sumo_backend="traci-gui" needs a display, but DISPLAY is not set; use "libsumo" or "traci"')
    return Traci("sumo-gui", ["--start", "--quit-on-end", "--delay", str(settings["gui_delay_ms"])])


def program_path(name: str) -> str:
    """Returns the path of a SUMO program: of the `eclipse-sumo` package if it is installed, else from PATH."""
    spec = find_spec("sumo")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder, "bin").glob(f"{name}*"):
            if path.stem == name:
                return str(path)
    found = shutil.which(name)
    if found is None:
        raise WorkerError(f'the program {name} is missing; install it with: pip install "vec-envs[sumo]"')
    return found


def _free_port() -> socket.socket:
    """Returns a socket that is bound to a free port.

    While it is open, the system gives the port to no other program, but SUMO can listen there: both set `SO_REUSEADDR`.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def _in_use(port: int) -> bool:
    """Returns whether a program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def die_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
