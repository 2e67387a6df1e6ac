"""VEC-TaskDiversion: vehicles on a two-way road release DNN tasks, and ask one of two roadside units for help.

A vehicle that releases a task asks one of the two roadside units (RSUs) nearest to it: by chance, the more likely the
shorter it expects to wait there. The unit then decides where the task's DNN is cut, and at which speeds vehicle and
unit run their parts. A unit serves in the order of the decisions, one task at a time. Energy that a vehicle spends
drains its battery, and the emptier that is, the more the vehicle's energy weighs in the cost.

A epoch of an episode is one task. Times are counted from the episode's beginning; a queue is the time at which a unit
is free again, so that the clock needs no update of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from jaxtyping import Real as RealArray

from vec_envs.dnn.profile import DNNProfile, as_profiles
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.physics import diversion
from vec_envs.physics.channel import RateFunction, v2i_rate_mbps
from vec_envs.problems.base import ContinuousActions, Metric
from vec_envs.problems.task_diversion.actions import Number, TaskActions
from vec_envs.problems.task_diversion.links import RoadsideLinks
from vec_envs.problems.task_diversion.objective import TaskCost
from vec_envs.problems.task_diversion.observation import OBSERVATIONS, TaskObservation
from vec_envs.problems.task_diversion.records import (
    QUEUE_SEEN,
    Draws,
    Exogenous,
    Outcome,
    PerTask,
    Request,
    State,
    TaskOutcome,
)
from vec_envs.problems.task_diversion.release import entry_slot, leave_slot, next_released, releases
from vec_envs.problems.task_diversion.request import DIVERSIONS, Requests, chosen, with_task
from vec_envs.records import map_arrays, pick, put
from vec_envs.validation import (
    a_function,
    count,
    not_negative,
    one_of,
    positive,
    positive_range,
    yes_or_no,
)

__all__ = ["Draws", "Exogenous", "Outcome", "State", "TaskDiversion", "TaskOutcome"]

REWARDS = ("cost", "excess")
LEAVING = ("finish", "fail")
LOW_BATTERY = 1.0 / 3.0
_POSITIVE = (
    "rsu_spacing_m",
    "rsu_range_m",
    "slot_s",
    "release_rate_hz",
    "vehicle_ghz",
    "rsu_ghz",
    "min_ghz",
    "kappa_j_per_gcycle_ghz2",
    "battery_capacity_kj",
    "bandwidth_mhz",
    "transmit_power_w",
    "noise_w",
)


@dataclass(frozen=True, kw_only=True)
class TaskDiversion:
    """The problem of the paper, with its numbers as defaults; `docs/task-diversion.md` says where the others are from.

    Paper: RTD Eq. (21).
    Differs: P1 is not solved as a whole; policies are ranked by its objective, the mean cost of a task.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "vgg16", "nin", "tinyyolov2")
    """The DNN types: names of the library, or from Python also profiles; a task is any of them, evenly. Section
    IV.A."""
    workload: str = "rtd"
    """How the library's layers are counted; profiles given as such carry their own counts."""
    num_client_vehicles: int = 15
    """Vehicles that release tasks; where one leaves the road another takes its seat. Fig. 6."""
    num_rsus: int = 4
    """Roadside units, at regular spacing, about the middle of the road."""
    rsu_spacing_m: float = 500.0
    """Between neighbouring units: so that a vehicle between two units hears both."""
    rsu_range_m: float = 500.0
    """How far a unit is heard. Section IV.A."""
    slot_s: float = 1.0
    """How often units broadcast their index, and vehicles may release a task."""
    broadcast_slots: int = 1
    """Slots between two broadcasts: with more than 1, vehicles divert by a stale index."""
    episode_slots: int = 60
    """Slots in which tasks are released."""
    release_rate_hz: float = 0.3
    """Tasks that an idle vehicle releases in a second, on average."""
    overlap: bool = False
    """Whether a vehicle releases tasks while it still runs the last one's layers, against Eq. (21c)."""
    vehicle_ghz: float = 3.0
    """The fastest a vehicle can run. Section IV.A."""
    rsu_ghz: float = 7.0
    """The fastest a roadside unit can run. Section IV.A."""
    min_ghz: float = 0.5
    """The slowest either may be told to run."""
    beta: float = 1e-3
    """Cost of a joule, in seconds. With 1e-2 all local at 1.7 GHz would be the answer to everything."""
    kappa_j_per_gcycle_ghz2: float = 10.0
    """Energy of computing: this times work times speed squared. Section IV.A: 1e-26 in J/(cycle Hz^2)."""
    battery: tuple[float, float] = (0.1, 1.0)
    """Range of the uniform draw of a vehicle's level when it comes."""
    battery_capacity_kj: float = 100.0
    """What a vehicle sets aside for computing: 28 Wh, of which a task takes about 1 %."""
    battery_floor: float = 0.01
    """The level at which a battery is kept: below, the vehicle draws on its main one."""
    battery_factor: bool = True
    """Whether a vehicle's energy weighs more as its battery empties (Eq. 20); False weighs it 1."""
    deadline_factor: tuple[float, float] = (2.0, 4.0)
    """Range of the uniform draw of a deadline, in units of the time the vehicle takes for all layers at full speed."""
    deadline_penalty: float = 1.0
    """Taken from the reward of a task that misses its deadline or fails; not part of the cost."""
    on_leaving: str = "finish"
    """`"finish"`: a task at a unit when its vehicle leaves the road is finished; `"fail"`: it is lost, and counts as
    failed, but the unit, which does not know, still works on it."""
    diversion: str = "probability"
    """Which unit is asked: `"probability"` (Eq. 24), `"shortest"` wait, `"nearest"`, or `"chosen"` by the action."""
    bandwidth_mhz: float = 20.0
    """Of each link. Section IV.A."""
    transmit_power_w: float = 0.2
    """What a vehicle sends with: 23 dBm, the usual power of its radio."""
    noise_w: float = 3e-13
    """Noise over the bandwidth. Section IV.A."""
    reward: str = "cost"
    """`"cost"`: minus the cost (Eq. 28); `"excess"`: minus what the cost is above that of running all layers at the
    vehicle, with the battery it came with, or at an idle unit beside it, whichever is less, at best speeds: nothing
    that the task's decision could change. Which task it happens to be matters less to it, so that less must be
    averaged; and a return gains nothing from tasks that a busy vehicle does not release."""
    observation: str = "paper"
    """`"paper"` (Eq. 26 and the inputs of Algorithm 1) or `"extended"` (also what follows from these)."""
    v2i_rate: RateFunction = v2i_rate_mbps
    """Rates to a unit, in Mbit/s: a function as `vec_envs.physics.channel.v2i_rate_mbps`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dnns", as_profiles(self.dnns, workload=self.workload))
        _check_numbers(self)

    # Who decides what --------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """`vehicle_0`, `vehicle_1`, ...: seats, which vehicles take one after the other."""
        return tuple(f"vehicle_{i}" for i in range(self.num_client_vehicles))

    @property
    def one_at_a_time(self) -> bool:
        """A epoch is one task: the vehicle that releases it decides."""
        return True

    @property
    def episode_epochs(self) -> int:
        """As many tasks as there can be."""
        return self.episode_slots * self.num_client_vehicles

    def turn(self, exogenous: Exogenous) -> tuple[Int[np.ndarray, "*batch"], Int[np.ndarray, "*batch"]]:
        """Returns slot and seat of a task."""
        return exogenous.slot, exogenous.seat

    @property
    def num_chains(self) -> int:
        """The decisions at each unit are a row of their own: Algorithm 1 has the units decide."""
        return self.num_rsus

    def chain(self, state: State, exogenous: Exogenous) -> Int[np.ndarray, "*batch"]:
        """Returns the unit that is asked, the nearest where the action chooses; -1 where none is in range."""
        return self.request(state, exogenous).unit

    def chain_of(self, outcome: Outcome) -> Int[np.ndarray, "*batch"]:
        """Returns the unit that was asked."""
        return outcome.unit

    @property
    def actions(self) -> ContinuousActions:
        """Cut, vehicle's speed, unit's speed; and which unit, where that is chosen: see `action`."""
        return ContinuousActions(size=self.action.size)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """Means per task; policies are ranked by cost."""
        units = {"cost": "", "time_s": "s", "energy_j": "J", "vehicle_energy_j": "J", "missed": "", "offloaded": ""}
        return tuple(Metric(name=name, unit=unit) for name, unit in units.items())

    @property
    def num_layers(self) -> Int[np.ndarray, "types"]:
        """Number of layers L of each DNN type."""
        return self.costs.num_layers

    # What exogenous decides ------------------------------------------------------------------------------------------

    @property
    def traffic_shape(self) -> EpisodeShape:
        """Seats that vehicles take and leave, for a slot more than tasks are released in."""
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=0,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
            come_and_go=True,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns an episode's tasks, one lane a task: draws with `rng`, then `exogenous`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the raw draws of one episode."""
        grid = (self.episode_slots + 1, self.num_client_vehicles)
        uniform = rng.random((6, *grid))
        return Draws(
            release=uniform[0],
            order=uniform[1],
            dnn=uniform[2],
            deadline=uniform[3],
            battery=uniform[4],
            diversion=uniform[5],
            fading_power=rng.standard_exponential((*grid, self.num_rsus)),
        )

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns the tasks of episodes in the order of their release, `[*lanes, episode_epochs + 1]`."""
        tasks = releases(draws, traffic, probability=self.release_rate_hz * self.slot_s)
        slot, seat = np.divmod(tasks.place, self.num_client_vehicles)
        vehicle = tasks.take(traffic.client_vehicle)
        dnn = np.minimum((tasks.take(draws.dnn) * len(self.profiles)).astype(np.int64), len(self.profiles) - 1)
        low, high = self.deadline_factor
        level = np.take_along_axis(draws.battery, entry_slot(traffic.client_vehicle), axis=-2)
        unit, rate_mbps = self._links.of(
            tasks.take_rows(traffic.client_xy_m), tasks.take_rows(draws.fading_power), road
        )
        return Exogenous(
            slot=slot,
            release_s=np.where(tasks.exists, slot * self.slot_s, np.inf),
            seat=seat,
            vehicle=vehicle,
            dnn=dnn,
            deadline_s=(low + (high - low) * tasks.take(draws.deadline))
            * self.costs.work_gcycles[dnn]
            / self.vehicle_ghz,
            battery=self.battery[0] + (self.battery[1] - self.battery[0]) * tasks.take(level),
            position_m=tasks.take(traffic.client_position_m),
            speed_mps=tasks.take(traffic.client_speed_mps),
            unit=unit,
            rate_mbps=rate_mbps,
            diversion_draw=tasks.take(draws.diversion),
            leave_s=tasks.take(leave_slot(traffic.client_vehicle)) * self.slot_s,
        )

    def next_epoch(
        self, state: State, exogenous: Exogenous, epoch: Int[np.ndarray, "batch"]
    ) -> Int[np.ndarray, "batch"]:
        """Returns the next task that is released: not those of vehicles that still run the last one's layers."""
        return next_released(state, exogenous, epoch, overlap=self.overlap)

    # What the agents see ------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """Number of features of a task's observation."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch 1 features"]:
        """Returns what is known of the released task, scaled to order one by the constants of `task_observation`.

        Features: position and speed of the vehicle along the road, its DNN type (one for each, 1 or 0), deadline,
        battery level, the fastest speeds of vehicle and unit. Then of the unit that is asked (of both, where it is
        chosen): whether it is in range, rate, wait of its queue, length of its queue; where extended also the share of
        the work that the vehicle can do during that wait, what sending all saves against all local, and the share of
        the layers that can be run and their result sent during the wait. Where extended then: work of all layers, raw
        input, weight of the vehicle's energy, what an idle unit would save, the broadcast waits of the two nearest
        units, whether the second is in range.

        Paper: RTD Eq. (26).
        Differs: with rate and battery, which Algorithm 1 lists among its inputs.
        """
        which = (np.zeros_like(exogenous.dnn), np.ones_like(exogenous.dnn)) if self._chooses else (None,)
        requests = [self.request(state, exogenous, asked) for asked in which]
        return self.features.of(exogenous, requests, self._requests.index_s(state, exogenous))

    # Whom a vehicle asks ------------------------------------------------------------------------------------------

    def request_probabilities(
        self, predicted_wait_s: RealArray[np.ndarray, "*batch 2"]
    ) -> Float[np.ndarray, "*batch 2"]:
        """Returns how likely a vehicle asks either unit, from the waits it predicts; see `physics.diversion`."""
        return diversion.request_probabilities(np.asarray(predicted_wait_s, dtype=np.float64))

    def request(self, state: State, exogenous: Exogenous, asked: Int[np.ndarray, "*batch"] | None = None) -> Request:
        """Returns what the unit that is asked knows; `asked` names another one of the two nearest (0 or 1)."""
        if asked is None:
            asked = self._requests.asked(state, exogenous, self.costs.largest_mbit)
        return self._requests.request(state, exogenous, asked)

    # What a decision does -----------------------------------------------------------------------------------------

    def initial_state(self, lanes: tuple[int, ...]) -> State:
        """Returns idle units, and seats without holders."""
        units, seats = (*lanes, self.num_rsus), (*lanes, self.num_client_vehicles)
        return State(
            rsu_free_s=np.zeros(units),
            task_end_s=np.zeros((*units, QUEUE_SEEN)),
            index_wait_s=np.zeros(units),
            index_number=np.full(lanes, -1),
            holder=np.full(seats, -1),
            battery=np.ones(seats),
            vehicle_free_s=np.zeros(seats),
        )

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch agents numbers"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the state after a task's decision, and what the task takes; a pure function.

        Where no unit is in range the vehicle runs all layers. Raises `ValueError` for an action of wrong shape, with
        numbers that are none or beyond [-1, 1].

        Paper: RTD Eq. (28).
        Differs: less a penalty, an option, where the deadline is missed or the task is lost.
        """
        numbers = self.action.checked(action)[..., 0, :]
        asked = None
        if self._chooses:
            asked = chosen(numbers[..., 3] >= 0.0, exogenous.rate_mbps > 0.0)
        request = self.request(state, exogenous, asked)
        cut, vehicle_ghz, rsu_ghz = self.action.decode(numbers, exogenous.dnn)
        cut = np.where(request.asked >= 0, cut, self.num_layers[exogenous.dnn])
        offloaded = cut < self.num_layers[exogenous.dnn]
        task = self.costs.of(
            {"dnn": exogenous.dnn, "cut": cut, "vehicle_ghz": vehicle_ghz, "rsu_ghz": rsu_ghz,
             "rate_mbps": request.rate_mbps, "queue_s": request.queue_s, "battery": request.battery,
             "deadline_s": exogenous.deadline_s}
        )  # fmt: skip
        gone = (self.on_leaving == "fail") & offloaded & (exogenous.release_s + task.time_s > exogenous.leave_s)
        outcome = Outcome(
            task=task,
            dnn=exogenous.dnn,
            cut=cut,
            vehicle_ghz=vehicle_ghz,
            rsu_ghz=rsu_ghz,
            unit=request.unit,
            offloaded=offloaded,
            failed=gone,
            queue_s=request.queue_s,
            battery=request.battery,
            reward=self._spared_s(exogenous) - task.cost - self.deadline_penalty * (task.missed | gone),
        )
        return self._following(state, exogenous, outcome), outcome

    def _spared_s(self, exogenous: Exogenous) -> PerTask:
        """Returns what the reward has above minus the cost: nothing that a decision could change."""
        if self.reward == "cost":
            return np.zeros(exogenous.dnn.shape)
        own, unit = self.costs.prices_s(exogenous.battery)
        return self.costs.work_gcycles[exogenous.dnn] * np.minimum(own, unit)

    def _following(self, state: State, exogenous: Exogenous, outcome: Outcome) -> State:
        """Returns the state with what the outcome means for unit, vehicle and battery."""
        task, seat, unit = outcome.task, exogenous.seat, np.maximum(outcome.unit, 0)
        release_s = np.where(np.isfinite(exogenous.release_s), exogenous.release_s, 0.0)
        end_s = release_s + task.start_s + task.rsu_service_s
        free_s = put(state.rsu_free_s, unit, np.where(outcome.offloaded, end_s, pick(state.rsu_free_s, unit)))
        level = outcome.battery - task.vehicle_energy_j / (1e3 * self.battery_capacity_kj)
        index_s, number = self._requests.broadcast(state, exogenous)
        return State(
            rsu_free_s=free_s,
            task_end_s=with_task(state, unit, end_s, outcome.offloaded),
            index_wait_s=index_s,
            index_number=number,
            holder=put(state.holder, seat, exogenous.vehicle),
            battery=put(state.battery, seat, np.maximum(level, np.minimum(self.battery_floor, outcome.battery))),
            vehicle_free_s=put(state.vehicle_free_s, seat, release_s + task.local_s),
        )

    def task_outcome(
        self,
        *,
        dnn: Number | str,
        cut: Number,
        vehicle_ghz: Number,
        rsu_ghz: Number,
        rate_mbps: Number,
        queue_s: Number,
        battery: Number,
        deadline_s: Number = np.inf,
    ) -> TaskOutcome:
        """Returns time, energy and cost of tasks; each argument broadcasts. `dnn` indexes `dnns`, or is a name.

        A task that is cut = L is all local: rate, queue and unit's speed do not matter. Raises `ValueError` for a cut
        outside 0 to L, a speed or a deadline not above 0, a negative wait, a battery outside (0, 1], and a rate not
        above 0 where something is sent.
        """
        if isinstance(dnn, str):
            names = [profile.name for profile in self.profiles]
            one_of(names, dnn=dnn)
            dnn = names.index(dnn)
        given = {
            "dnn": dnn,
            "cut": cut,
            "vehicle_ghz": vehicle_ghz,
            "rsu_ghz": rsu_ghz,
            "rate_mbps": rate_mbps,
            "queue_s": queue_s,
            "battery": battery,
            "deadline_s": deadline_s,
        }
        shape = np.broadcast_shapes(*map(np.shape, given.values()))
        return map_arrays(lambda a: a.reshape(shape), self.costs.of(self.costs.checked(given)))

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns what is reported of a task: `[*lanes]` arrays under the names of the infos."""
        task = outcome.task
        low = outcome.battery <= LOW_BATTERY
        return {
            "cost": task.cost,
            "time_s": task.time_s,
            "energy_j": task.energy_j,
            "vehicle_energy_j": task.vehicle_energy_j,
            "missed": task.missed.astype(np.float64),
            "failed": outcome.failed.astype(np.float64),
            "offloaded": outcome.offloaded.astype(np.float64),
            "queue_s": outcome.queue_s,
            "cut": outcome.cut,
            "battery": outcome.battery,
            "low_battery": low.astype(np.float64),
            "low_battery_energy_j": np.where(low, task.vehicle_energy_j, 0.0),
        }

    # What it is composed of -----------------------------------------------------------------------------------------

    @cached_property
    def costs(self) -> TaskCost:
        """What tasks take, by these options."""
        return TaskCost(
            profiles=self.profiles,
            beta=self.beta,
            kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
            transmit_power_w=self.transmit_power_w,
            battery_factor=self.battery_factor,
            min_ghz=self.min_ghz,
            vehicle_ghz=self.vehicle_ghz,
            rsu_ghz=self.rsu_ghz,
        )

    @cached_property
    def action(self) -> TaskActions:
        """How actions are read and written."""
        return TaskActions(
            num_layers=self.num_layers,
            min_ghz=self.min_ghz,
            vehicle_ghz=self.vehicle_ghz,
            rsu_ghz=self.rsu_ghz,
            chooses=self._chooses,
        )

    @cached_property
    def features(self) -> TaskObservation:
        """How tasks are seen, and what can be read from that again."""
        return TaskObservation(kind=self.observation, units=2 if self._chooses else 1, costs=self.costs)

    @property
    def _chooses(self) -> bool:
        return self.diversion == "chosen"

    @cached_property
    def _links(self) -> RoadsideLinks:
        return RoadsideLinks(
            num_rsus=self.num_rsus,
            rsu_spacing_m=self.rsu_spacing_m,
            rsu_range_m=self.rsu_range_m,
            bandwidth_mhz=self.bandwidth_mhz,
            transmit_power_w=self.transmit_power_w,
            noise_w=self.noise_w,
            v2i_rate=self.v2i_rate,
        )

    @cached_property
    def _requests(self) -> Requests:
        return Requests(kind=self.diversion, broadcast_slots=self.broadcast_slots, slot_s=self.slot_s)


def _check_numbers(problem: TaskDiversion) -> None:
    for name in ("num_client_vehicles", "num_rsus", "broadcast_slots", "episode_slots"):
        count(1, **{name: getattr(problem, name)})
        object.__setattr__(problem, name, int(getattr(problem, name)))
    one_of(DIVERSIONS, diversion=problem.diversion)
    one_of(LEAVING, on_leaving=problem.on_leaving)
    one_of(REWARDS, reward=problem.reward)
    one_of(OBSERVATIONS, observation=problem.observation)
    for name in _POSITIVE:
        positive(**{name: getattr(problem, name)})
    yes_or_no(overlap=problem.overlap, battery_factor=problem.battery_factor)
    positive(battery_floor=problem.battery_floor)
    not_negative(beta=problem.beta, deadline_penalty=problem.deadline_penalty)
    positive_range(deadline_factor=problem.deadline_factor, battery=problem.battery)
    for name in ("deadline_factor", "battery"):
        object.__setattr__(problem, name, tuple(getattr(problem, name)))
    if problem.battery[1] > 1.0 or problem.battery_floor > 1.0:
        raise ValueError(
            f"battery levels are in (0, 1], got battery={problem.battery} and battery_floor={problem.battery_floor}"
        )
    if not problem.min_ghz < min(problem.vehicle_ghz, problem.rsu_ghz):
        raise ValueError(f"min_ghz={problem.min_ghz} must be below vehicle_ghz and rsu_ghz")
    if problem.release_rate_hz * problem.slot_s > 1.0:
        raise ValueError(
            f"release_rate_hz={problem.release_rate_hz} must be at most 1 / slot_s = {1.0 / problem.slot_s:g}: "
            "a vehicle releases at most one task a slot"
        )
    a_function(v2i_rate=problem.v2i_rate)
