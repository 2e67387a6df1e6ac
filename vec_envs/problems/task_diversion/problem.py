"""VEC-TaskDiversion: vehicles on a two-way road release DNN tasks and ask one of two roadside units for help.

A vehicle that releases a task asks one of the two roadside units (RSUs) nearest to it. The choice is random: the unit
with the shorter predicted wait is more likely. The unit then decides where the task's DNN is cut, and at which speeds
vehicle and unit run their parts. A unit serves one task at a time, in the order of the decisions. Computing and sending
drain the vehicle's battery. The emptier the battery, the more the vehicle's energy weighs in the cost.

A decision epoch is one task. Times are counted from the beginning of the episode. A queue is stored as the time at
which its unit is free again, so it needs no update as time passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from jaxtyping import Real as RealArray

from vec_envs.dnn.choices import as_profiles
from vec_envs.dnn.processors import as_processors
from vec_envs.dnn.profile import DNNProfile
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, entry_slot
from vec_envs.physics import diversion
from vec_envs.physics.channel import RateFunction, v2i_rate_mbps
from vec_envs.problems.base import ContinuousActions, Metric
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery
from vec_envs.problems.task_diversion.actions import Number, TaskActions
from vec_envs.problems.task_diversion.dynamics import TaskDynamics
from vec_envs.problems.task_diversion.hybrid import CutAndUnit
from vec_envs.problems.task_diversion.links import RoadsideLinks
from vec_envs.problems.task_diversion.metrics import REPORTED, metrics_of
from vec_envs.problems.task_diversion.objective import TaskCost
from vec_envs.problems.task_diversion.observation import TaskObservation
from vec_envs.problems.task_diversion.options import COUNTS, RANGES, check_options
from vec_envs.problems.task_diversion.records import (
    MAX_QUEUE_LENGTH,
    Draws,
    Exogenous,
    Outcome,
    Request,
    State,
    TaskOutcome,
)
from vec_envs.problems.task_diversion.release import leave_slot, next_released, releases
from vec_envs.problems.task_diversion.request import Requests
from vec_envs.problems.task_diversion.scene import scene_of, scenery_of
from vec_envs.problems.task_diversion.slot_state import SlotState
from vec_envs.records import map_arrays
from vec_envs.validation import check_one_of

__all__ = ["Draws", "Exogenous", "Outcome", "State", "TaskDiversion", "TaskOutcome"]


@dataclass(frozen=True, kw_only=True)
class TaskDiversion:
    """The task diversion problem of the paper.

    Its numbers are the defaults of the fields. `docs/task-diversion.md` gives the source of those that the paper leaves
    out.

    Paper: RTD Eq. (21).
    Differs: P1 is not solved as a whole; policies are ranked by its objective, the mean cost of a task.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "vgg16", "nin", "tinyyolov2")
    """The DNN types: names of the library, files of profiles (`my_net.json`) or, in Python, profiles. A task is of any
    type with equal probability. Section IV.A."""
    workload: str = "rtd"
    """How the operations of the library's layers are counted. Profiles that are passed as objects keep their counts."""
    processors: tuple[str, ...] = ()
    """Names of two devices, one for a vehicle and one for the roadside unit, with measured times of every DNN. The
    times hold for processors at `vehicle_ghz` and `rsu_ghz`. Empty to count operations instead."""
    num_client_vehicles: int = 15
    """Number of seats for vehicles that release tasks, at most 10,000. When a vehicle leaves the road, another takes
    its seat. Fig. 6."""
    num_rsus: int = 4
    """Number of roadside units, at regular spacing about the middle of the road; at most 10,000."""
    rsu_spacing_m: float = 500.0
    """Distance between neighbouring units. With the default, a vehicle between two units is in range of both."""
    rsu_range_m: float = 500.0
    """Distance up to which a vehicle can reach a unit. Section IV.A."""
    slot_s: float = 1.0
    """Length of a slot. A vehicle may release a task at the beginning of each slot."""
    broadcast_slots: int = 1
    """Slots from one broadcast of the units' waits to the next. With more than 1, vehicles use outdated waits."""
    episode_slots: int = 60
    """Number of slots in which tasks are released, at most 100,000."""
    release_rate_hz: float = 0.3
    """Tasks that an idle vehicle releases per second, on average."""
    overlap: bool = False
    """Whether a vehicle may release a task while it still runs layers of its last one, which Eq. (21c) forbids."""
    vehicle_ghz: float = 3.0
    """Maximum speed of a vehicle. Section IV.A."""
    rsu_ghz: float = 7.0
    """Maximum speed of a roadside unit. Section IV.A."""
    min_ghz: float = 0.5
    """Minimum speed of vehicles and units."""
    beta: float = 1e-3
    """Cost of a joule, in seconds. With 1e-2, running every task on its vehicle at 1.7 GHz would be best."""
    kappa_j_per_gcycle_ghz2: float = 10.0
    """Energy coefficient: energy is this times work times speed squared. Section IV.A: 1e-26 in J/(cycle Hz^2)."""
    battery: tuple[float, float] = (0.1, 1.0)
    """Range of the uniform draw of the battery level with which a vehicle enters."""
    battery_capacity_kj: float = 100.0
    """Energy that a vehicle reserves for computing: 28 Wh, of which a task takes about 1 %."""
    battery_floor: float = 0.01
    """Lowest battery level. An empty battery stays there, and the vehicle draws on its main battery."""
    battery_factor: bool = True
    """Whether a vehicle's energy weighs more as its battery empties (Eq. 20). With False the weight is always 1."""
    deadline_factor: tuple[float, float] = (2.0, 4.0)
    """Range of the uniform draw of a deadline, in units of the time the vehicle takes for all layers at full speed."""
    deadline_penalty: float = 1.0
    """Subtracted from the reward of a task that misses its deadline or fails. It is not part of the cost."""
    on_leaving: str = "finish"
    """The outcome of an offloaded task whose vehicle leaves the road before the task is done. `"finish"`: the unit
    finishes it. `"fail"`: it counts as failed, but the unit still works on it, because the unit does not know."""
    diversion: str = "probability"
    """How the unit is selected: at random (`"probability"`, Eq. 24), by `"shortest"` predicted wait, the `"nearest"`,
    or `"chosen"` by the action."""
    bandwidth_mhz: float = 20.0
    """Bandwidth of each link. Section IV.A."""
    transmit_power_w: float = 0.2
    """Transmit power of a vehicle: 23 dBm, the usual power of a vehicle's radio."""
    noise_w: float = 3e-13
    """Noise power over the bandwidth. Section IV.A."""
    reward: str = "cost"
    """`"cost"`: minus the cost. `"excess"`: minus the cost in excess of a reference. The reference is the cost of all
    layers at the vehicle (with its battery level on entry) or at an idle unit beside it, whichever is less, at the
    speeds of least cost. No decision on the task changes the reference. It reduces the variance between tasks. A return
    then no longer grows if a busy vehicle releases no tasks."""
    observation: str = "paper"
    """`"paper"` (Eq. 26 and the inputs of Algorithm 1), or `"extended"` (also features computed from these)."""
    v2i_rate: RateFunction = v2i_rate_mbps
    """Rates to the units in Mbit/s: a function like `vec_envs.physics.channel.v2i_rate_mbps`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dnns", as_profiles(self.dnns, workload=self.workload))
        check_options(self)
        object.__setattr__(self, "processors", tuple(self.processors) if self.costs.processors else ())
        for name in COUNTS:
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in RANGES:
            object.__setattr__(self, name, tuple(getattr(self, name)))

    # The interface of `SequentialProblem` --------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """The names of the seats: `vehicle_0`, `vehicle_1`, ... A seat is held by one vehicle after another."""
        return tuple(f"vehicle_{i}" for i in range(self.num_client_vehicles))

    @property
    def one_at_a_time(self) -> bool:
        """True: an epoch is one task, and the decision is for the vehicle that releases it."""
        return True

    @property
    def episode_epochs(self) -> int:
        """The largest possible number of tasks: one for each slot and seat."""
        return self.episode_slots * self.num_client_vehicles

    def turn(self, exogenous: Exogenous) -> tuple[Int[np.ndarray, "*batch"], Int[np.ndarray, "*batch"]]:
        """Returns the slot and the seat of a task."""
        return exogenous.slot, exogenous.seat

    @property
    def num_chains(self) -> int:
        """The number of decision chains: one for each roadside unit, because in Algorithm 1 the units decide."""
        return self.num_rsus

    def chain(self, state: State, exogenous: Exogenous) -> Int[np.ndarray, "*batch"]:
        """Returns the index of the unit that is asked; -1 where none is in range.

        With `diversion="chosen"` this is the nearest unit in range, because the action is not known yet.
        """
        return self.request(state, exogenous).unit

    def chain_of(self, outcome: Outcome) -> Int[np.ndarray, "*batch"]:
        """Returns the index of the unit that was asked; -1 where none was in range."""
        return outcome.unit

    @property
    def actions(self) -> ContinuousActions:
        """Numbers for the cut, both speeds and, with `diversion="chosen"`, the unit; `action` encodes them."""
        return ContinuousActions(size=self.action.size)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """The metrics that runs report, as means over tasks. Policies are ranked by cost."""
        return REPORTED

    @property
    def num_layers(self) -> Int[np.ndarray, "types"]:
        """Number of layers L of each DNN type."""
        return self.costs.num_layers

    # The exogenous record ------------------------------------------------------------------------------------------

    @property
    def channel_fields(self) -> tuple[str, ...]:
        """The fields of the exogenous record that the channel determines."""
        return ("rate_mbps",)

    @property
    def traffic_shape(self) -> EpisodeShape:
        """The traffic of an episode: seats whose vehicles change, for one slot more than those with releases."""
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=0,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
            come_and_go=True,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns the tasks of one episode, made by `sample` and `exogenous`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the random draws of one episode."""
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
        """Returns the tasks of episodes in the order of release, `[*batch, episode_epochs + 1, ...]`."""
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
        """Returns the next task that is released, from `epoch` on; `episode_epochs` where there is none.

        Without `overlap`, a vehicle that still runs layers of its last task releases none.
        """
        return next_released(state, exogenous, epoch, overlap=self.overlap)

    # Observations --------------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """The number of features of an observation."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch 1 features"]:
        """Returns the features of the released task, scaled to order one by the constants of `observation`.

        The features come in this order:

        - of the task: position and speed of the vehicle along the road, the DNN type (one-hot), the deadline, the
          battery level, and the maximum speeds of vehicle and unit;
        - of the unit that is asked, or of both units with `diversion="chosen"`: whether it is in range, the rate to it,
          the wait in its queue, and the length of its queue;
        - extended, of each unit: the share of the work that the vehicle can do during the wait, how much cheaper
          sending all is than running all locally, and the share of the layers that the vehicle can run during the wait
          with enough time left to send their result;
        - extended, of the task: the work of all layers, the raw input, the weight of the vehicle's energy, the saving
          at an idle unit, the broadcast waits of the two nearest units, and whether the second is in range.

        Paper: RTD Eq. (26).
        Differs: rate and battery are added, which Algorithm 1 lists among its inputs.
        """
        units = (np.zeros_like(exogenous.dnn), np.ones_like(exogenous.dnn)) if self._chooses else (None,)
        requests = [self.request(state, exogenous, asked) for asked in units]
        return self.features.of(exogenous, requests, self._requests.index_s(state, exogenous))

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature."""
        return self.features.bounds

    @property
    def slot_state_size(self) -> int:
        """The number of features of the global state."""
        return self._slot_state.size

    def slot_state(
        self, state: State, due: Sequence[Exogenous], traffic: TrafficBlock, slot: int
    ) -> Float32[np.ndarray, "features"]:
        """Returns the global state at the beginning of a slot: queues, vehicles and tasks; see `SlotState`."""
        return self._slot_state.of(state, due, traffic, slot)

    # Requests ------------------------------------------------------------------------------------------------------

    def request_probabilities(
        self, predicted_wait_s: RealArray[np.ndarray, "*batch 2"]
    ) -> Float[np.ndarray, "*batch 2"]:
        """Returns the probabilities with which a vehicle asks either unit, from their predicted waits.

        A wait of inf marks a unit that is out of range. See `vec_envs.physics.diversion.request_probabilities`.
        """
        return diversion.request_probabilities(np.asarray(predicted_wait_s, dtype=np.float64))

    def request(self, state: State, exogenous: Exogenous, asked: Int[np.ndarray, "*batch"] | None = None) -> Request:
        """Returns the request of a task, as the unit that is asked receives it.

        Args:
            state: The state at the release of the task.
            exogenous: The task.
            asked: Which of the two nearest units is asked, 0 or 1. By default the rule of `diversion` selects it.
        """
        if asked is None:
            asked = self._requests.asked(state, exogenous, self.costs.largest_mbit)
        return self._requests.request(state, exogenous, asked)

    # Dynamics ------------------------------------------------------------------------------------------------------

    def initial_state(self, batch_shape: tuple[int, ...]) -> State:
        """Returns a state with idle units and empty seats."""
        units, seats = (*batch_shape, self.num_rsus), (*batch_shape, self.num_client_vehicles)
        return State(
            rsu_free_s=np.zeros(units),
            task_end_s=np.zeros((*units, MAX_QUEUE_LENGTH)),
            index_wait_s=np.zeros(units),
            index_number=np.full(batch_shape, -1),
            holder=np.full(seats, -1),
            battery=np.ones(seats),
            vehicle_free_s=np.zeros(seats),
        )

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch agents numbers"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the state after the decision on a task, and the outcome; changes none of its arguments.

        Where no unit is in range, the vehicle runs all layers, whatever the action says.

        Raises:
            ValueError: For an action of wrong shape or type, or with a number outside [-1, 1].
        """
        return self._dynamics.transition(state, action, exogenous)

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
        """Returns time, energy and cost of tasks. All arguments broadcast against each other.

        Args:
            dnn: Index into `dnns`, or the name of a DNN type.
            cut: Number of layers that the vehicle runs. With all L layers on the vehicle, the rate, the wait and the
                unit's speed have no effect.
            vehicle_ghz: Speed of the vehicle.
            rsu_ghz: Speed of the roadside unit.
            rate_mbps: Rate to the unit.
            queue_s: Wait in the unit's queue.
            battery: Battery level of the vehicle, in (0, 1].
            deadline_s: Time after which the task counts as missed.

        Raises:
            ValueError: For a cut outside 0 to L, a speed or deadline not above 0, a negative wait, a battery level
                outside (0, 1], or a rate not above 0 where something is sent.
        """
        if isinstance(dnn, str):
            names = [profile.name for profile in self.profiles]
            check_one_of(names, dnn=dnn)
            dnn = names.index(dnn)
        tasks = {
            "dnn": dnn,
            "cut": cut,
            "vehicle_ghz": vehicle_ghz,
            "rsu_ghz": rsu_ghz,
            "rate_mbps": rate_mbps,
            "queue_s": queue_s,
            "battery": battery,
            "deadline_s": deadline_s,
        }
        shape = np.broadcast_shapes(*map(np.shape, tasks.values()))
        return map_arrays(lambda a: a.reshape(shape), self.costs.of(self.costs.checked(tasks)))

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns the infos of a decision by name: arrays of shape `[*batch]`."""
        return metrics_of(outcome, deadline_penalty=self.deadline_penalty)

    def scenery(self) -> Scenery:
        """Returns the nodes and the queue of all scenes."""
        return scenery_of(self)

    def scene(self, played: PlayedSlot) -> SceneFrame:
        """Returns the scene of a slot with all tasks that are released in it."""
        return scene_of(self, played)

    # Parts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def costs(self) -> TaskCost:
        """The cost model of tasks."""
        return TaskCost(
            profiles=self.profiles,
            beta=self.beta,
            kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
            transmit_power_w=self.transmit_power_w,
            battery_factor=self.battery_factor,
            min_ghz=self.min_ghz,
            vehicle_ghz=self.vehicle_ghz,
            rsu_ghz=self.rsu_ghz,
            processors=as_processors(self.processors, self.profiles, local_ghz=self.vehicle_ghz, edge_ghz=self.rsu_ghz),
        )

    @cached_property
    def action(self) -> TaskActions:
        """Encodes and decodes actions."""
        return TaskActions(
            num_layers=self.num_layers,
            min_ghz=self.min_ghz,
            vehicle_ghz=self.vehicle_ghz,
            rsu_ghz=self.rsu_ghz,
            chooses=self._chooses,
        )

    @cached_property
    def hybrid(self) -> CutAndUnit:
        """Hybrid actions for learners: an alternative (cut and unit) with two speeds as parameters."""
        return CutAndUnit(self)

    @cached_property
    def features(self) -> TaskObservation:
        """Computes observations, and reads quantities back from them."""
        return TaskObservation(observation=self.observation, num_units=2 if self._chooses else 1, costs=self.costs)

    @cached_property
    def _slot_state(self) -> SlotState:
        return SlotState(
            num_units=self.num_rsus,
            num_seats=self.num_client_vehicles,
            num_types=len(self.profiles),
            requests=self._requests,
        )

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
        return Requests(diversion=self.diversion, broadcast_slots=self.broadcast_slots, slot_s=self.slot_s)

    @cached_property
    def _dynamics(self) -> TaskDynamics:
        return TaskDynamics(
            costs=self.costs,
            requests=self._requests,
            actions=self.action,
            on_leaving=self.on_leaving,
            reward=self.reward,
            deadline_penalty=self.deadline_penalty,
            battery_capacity_kj=self.battery_capacity_kj,
            battery_floor=self.battery_floor,
        )
