"""Windows of traffic cut from a simulation."""

from __future__ import annotations

import math
import os
import random
from array import array
from dataclasses import dataclass
from itertools import chain, compress, pairwise
from typing import Any, NamedTuple, cast

from .causes import Misses, explained
from .simulators import SumoRefusal, WorkerError, simulator
from .survey import Place

MAX_MISSES = 20
MAX_FRESH, FRESH_MISSES = 20, 10
"""With `end_s`, the search ends after `MAX_FRESH` simulations in a row without a window. Each is given up after
`FRESH_MISSES` windows with too few vehicles, because the hours of demand may have times with few vehicles."""
NEAR, NEAR_FRESH, PATIENCE = 0.5, 5, 400
"""When the search ends without `end_s`.

A road with too little traffic must be refused soon, but one poor simulation must not end a run after hours. So a stream
that has had a window searches through `PATIENCE` windows. Before its first window, the search ends after one
simulation, or after `NEAR_FRESH` of them if a window had at least the share `NEAR` of the vehicles it needs."""


@dataclass(frozen=True, kw_only=True)
class Tape:
    """The definition of a simulation and of the windows cut from it."""

    seed: int
    num_slots: int
    slot_ms: int
    num_clients: int
    num_services: int
    come_and_go: bool = False
    continues: bool = False
    """Whether the stream has had windows from earlier tapes."""


class Stay(NamedTuple):
    """A stay of a vehicle in range, with its place in each slot from `first_slot` to its last one."""

    vehicle: str
    first_slot: int
    places: list[Place]
    may_be_client: bool
    may_be_service: bool


@dataclass(frozen=True, kw_only=True)
class Window:
    """The stays of some slots, in order of arrival. `first_speeds` is empty where vehicles come and go."""

    stays: list[Stay]
    first_speeds: list[float]

    def head(self) -> dict[str, list[Any]]:
        """Returns the head of the answer, which precedes the numbers."""
        return {
            "first_slot": [stay.first_slot for stay in self.stays],
            "num_slots": [len(stay.places) for stay in self.stays],
            "may_be_client": [stay.may_be_client for stay in self.stays],
            "may_be_service": [stay.may_be_service for stay in self.stays],
        }

    def numbers(self) -> bytes:
        """Returns the places as native doubles (x, y), slot by slot in each stay, and then the first speeds."""
        places = chain.from_iterable(chain.from_iterable(stay.places for stay in self.stays))
        return array("d", chain(places, self.first_speeds)).tobytes()

    def share(self, tape: Tape) -> float:
        """Returns which share of the needed vehicles is in the first slot: 1.0 or more where an episode can begin."""
        roles = [(stay.may_be_client, stay.may_be_service) for stay in self.stays if stay.first_slot == 0]
        needed = (
            (sum(client for client, _ in roles), tape.num_clients),
            (sum(service for _, service in roles), tape.num_services),
            (sum(client or service for client, service in roles), tape.num_clients + tape.num_services),
        )
        return min((there / number for there, number in needed if number), default=1.0)


class Server:
    """Cuts windows of one scenario from one simulator.

    The windows of a tape come from one simulation. Where its demand ends, and at the scenario's `end_s`, another
    simulation of the tape follows, with a seed and a beginning that are drawn from the tape's seed.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._simulator = simulator(settings)
        self._tape: Tape | None = None
        self._next_window = 0
        self._steps_per_slot = 1
        self._simulations = 0
        self._windows_of_simulation = 0
        self._slots_left = math.inf
        self._misses = Misses()
        if settings["folder"] is not None:
            os.chdir(settings["folder"])  # the names of files are relative to it

    def window(self, tape: Tape, index: int) -> Window:
        """Returns the window of an index. Continues the present simulation if it can."""
        try:
            if tape != self._tape or index < self._next_window:
                self._load(tape)
            while True:
                window = self._next_valid(tape)
                self._next_window += 1
                if self._next_window > index:
                    return window
        except SumoRefusal as error:
            files = " with ".join([self._settings["net_file"], *self._settings["route_files"]])
            raise WorkerError(f"SUMO cannot run {files}: {' '.join(str(error).split())}") from error

    def close(self) -> None:
        """Ends the simulator."""
        self._simulator.close()

    def _load(self, tape: Tape) -> None:
        """Starts the first simulation of a tape."""
        # SUMO's models are accurate for steps of at most a second, and its clock counts milliseconds.
        fewest = math.ceil(tape.slot_ms / 1000)
        self._steps_per_slot = next(n for n in range(fewest, tape.slot_ms + 1) if tape.slot_ms % n == 0)
        self._tape, self._simulations = None, 0
        self._simulate(tape)
        self._tape, self._next_window = tape, 0

    def _simulate(self, tape: Tape) -> None:
        """Starts the next simulation of a tape and runs its warm-up."""
        settings, step_s = self._settings, tape.slot_ms / self._steps_per_slot / 1000.0
        draws = random.Random(f"{tape.seed} {self._simulations}")
        seed = draws.getrandbits(31) if self._simulations else tape.seed
        options = ["--net-file", settings["net_file"], "--route-files", ",".join(settings["route_files"])]
        if settings["additional_files"]:
            options += ["--additional-files", ",".join(settings["additional_files"])]
        options += [text for name, value in settings["sumo"] for text in (f"--{name}", value)]
        options += ["--seed", str(seed), "--step-length", f"{step_s:.3f}", "--xml-validation", "never"]
        options += ["--no-step-log", "--no-warnings", "--duration-log.disable"]
        options += self._begin(tape, draws)
        self._simulator.load(options)
        for _ in range(math.ceil(settings["warm_up_s"] / step_s)):
            self._simulator.step()
        self._simulations += 1
        self._windows_of_simulation = 0

    def _begin(self, tape: Tape, draws: random.Random) -> list[str]:
        """Returns SUMO's option for the beginning of a simulation, drawn in whole seconds after `start_s`."""
        start_s, end_s, warm_up_s = (self._settings[name] for name in ("start_s", "end_s", "warm_up_s"))
        first_s, slot_s = start_s or 0.0, tape.slot_ms / 1000.0
        if end_s is None:
            return [] if start_s is None else ["--begin", f"{first_s:.3f}"]
        room_s = end_s - first_s - warm_up_s - tape.num_slots * slot_s
        if room_s < 0.0:
            raise WorkerError(
                f"an episode of {tape.num_slots} slots of {slot_s:g} s must fit into the hours of demand, but end_s - "
                f"start_s - warm_up_s = {end_s - first_s - warm_up_s:g} s: use shorter episodes, or set these keys of "
                "scenario.toml"
            )
        begin_s = first_s + int(draws.random() * (int(room_s) + 1))
        self._slots_left = math.floor((end_s - begin_s - warm_up_s) / slot_s + 1e-6)
        return ["--begin", f"{begin_s:.3f}"]

    def _next_valid(self, tape: Tape) -> Window:
        """Returns the next window with enough vehicles. Raises `WorkerError` where new simulations have none either."""
        self._misses, fresh = Misses(), 0
        while True:
            window = self._search(tape)
            if window is not None:
                self._windows_of_simulation += 1
                return window
            fresh += self._windows_of_simulation == 0
            if self._gives_up(tape, fresh):
                raise WorkerError(explained(self._misses, self._settings, tape))
            self._simulate(tape)

    def _gives_up(self, tape: Tape, fresh: int) -> bool:
        """Returns whether the search ends, after so many simulations without a window."""
        if self._settings["end_s"] is not None:
            return fresh >= MAX_FRESH
        if tape.continues or self._next_window > 0:
            return self._misses.windows >= PATIENCE
        return fresh >= (NEAR_FRESH if self._misses.share >= NEAR else 1)

    def _search(self, tape: Tape) -> Window | None:
        """Returns the next window with enough vehicles; `None` after too many without, or where the demand ends."""
        for _ in range(MAX_MISSES if self._settings["end_s"] is None else FRESH_MISSES):
            if self._slots_left < tape.num_slots:
                return None
            window = self._coming_and_going(tape) if tape.come_and_go else self._staying(tape)
            self._slots_left -= tape.num_slots
            share = window.share(tape)
            if share >= 1.0:
                return window
            survey = self._simulator.survey()
            self._misses.add(sum(stay.first_slot == 0 for stay in window.stays), share, survey)
            if survey.expected == 0:
                return None
        return None

    def _staying(self, tape: Tape) -> Window:
        """Returns the next window of vehicles that are in range in every slot."""
        vehicles: list[str] = []
        columns: list[list[Place]] = []
        speeds: dict[str, float] = {}
        for slot in range(tape.num_slots):
            self._step()
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
        stays = [
            self._stay(vehicle, 0, column)
            for vehicle, column in zip(vehicles, columns, strict=True)
            if not self._jumps(column, tape)
        ]
        return Window(stays=stays, first_speeds=[speeds[stay.vehicle] for stay in stays])

    def _coming_and_going(self, tape: Tape) -> Window:
        """Returns the next window of vehicles in range for two slots or more. One that comes back has another stay."""
        stays: list[Stay] = []
        current: dict[str, Stay] = {}
        for slot in range(tape.num_slots):
            self._step()
            vehicles, previous = self._simulator.vehicle_ids(), current
            places = self._simulator.places(vehicles)
            current = {}
            for vehicle, place in compress(zip(vehicles, places, strict=True), self._in_range(places)):
                if vehicle not in previous:
                    stays.append(self._stay(vehicle, slot, []))
                current[vehicle] = previous[vehicle] if vehicle in previous else stays[-1]
                current[vehicle].places.append(cast(Place, place))
        teleported = {stay.vehicle for stay in stays if self._jumps(stay.places, tape)}
        kept = [stay for stay in stays if len(stay.places) > 1 and stay.vehicle not in teleported]
        return Window(stays=kept, first_speeds=[])

    def _step(self) -> None:
        for _ in range(self._steps_per_slot):
            self._simulator.step()

    def _stay(self, vehicle: str, first_slot: int, places: list[Place]) -> Stay:
        """Returns a stay of a vehicle that is on the road now; SUMO forgets the types of vehicles that left."""
        clients, services = self._settings["client_types"], self._settings["service_types"]
        may_be_client = clients is None or self._simulator.vehicle_type(vehicle) in clients
        may_be_service = services is None or self._simulator.vehicle_type(vehicle) in services
        return Stay(vehicle, first_slot, places, may_be_client, may_be_service)

    def _in_range(self, places: list[Place | None]) -> list[bool]:
        """Returns which places are in range of the roadside unit."""
        rsu_x, rsu_y, rsu_z = self._settings["rsu_xyz_m"]
        reach = self._settings["range_m"] ** 2 - rsu_z**2
        try:
            return [(dx := x - rsu_x) * dx + (dy := y - rsu_y) * dy <= reach for x, y in cast(list[Place], places)]
        except TypeError:
            return [p is not None and (p[0] - rsu_x) ** 2 + (p[1] - rsu_y) ** 2 <= reach for p in places]

    def _jumps(self, column: list[Place], tape: Tape) -> bool:
        """Returns whether SUMO teleported the vehicle, which it does where traffic is stuck."""
        farthest = (self._settings["top_speed_mps"] * tape.slot_ms / 1000.0) ** 2
        if not any((x - u) * (x - u) + (y - v) * (y - v) > farthest for (u, v), (x, y) in pairwise(column)):
            return False
        self._misses.leave_out(max(map(math.dist, column, column[1:])) * 1000.0 / tape.slot_ms)
        return True
