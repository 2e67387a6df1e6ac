"""VEC-MobileInference: moving clients run DNN tasks with the help of roadside units and service vehicles.

Tasks arrive at client vehicles. A client that has a waiting task and none in flight decides when to start it, after
which layer to cut its DNN, and which node runs the rest: the server of a roadside unit (RSU), or a service vehicle.
A task is in flight for several slots, while vehicles drive from cell to cell, streets block links, and others share the
spectrum and the processors. A task that is not done by its deadline is missed. `dynamics.py` has the order of events.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.dnn.choices import as_profiles
from vec_envs.dnn.processors import Processors, as_processors
from vec_envs.dnn.profile import DNNProfile
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.physics.channel import EfficiencyFunction, street_efficiency
from vec_envs.problems.base import DiscreteActions, Metric
from vec_envs.problems.mobile_inference.actions import WAIT, StartActions
from vec_envs.problems.mobile_inference.decision_kinds import decision_kinds
from vec_envs.problems.mobile_inference.dynamics import SlotDynamics, decides
from vec_envs.problems.mobile_inference.exogenous import exogenous_of
from vec_envs.problems.mobile_inference.known_costs import StartCosts, start_costs
from vec_envs.problems.mobile_inference.links import StreetLinks
from vec_envs.problems.mobile_inference.metrics import REPORTED, metrics_of
from vec_envs.problems.mobile_inference.objective import REWARDS, DriftPlusCost, MissCost, Objective
from vec_envs.problems.mobile_inference.observation import StreetObservation, global_state
from vec_envs.problems.mobile_inference.options import COUNTS, RANGES, check_options
from vec_envs.problems.mobile_inference.records import Draws, Exogenous, Outcome, State
from vec_envs.problems.mobile_inference.scene import scene_of, scenery_of
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery
from vec_envs.validation import check_one_of

__all__ = ["Draws", "Exogenous", "MobileInference", "Outcome", "State"]


@dataclass(frozen=True, kw_only=True)
class MobileInference:
    """The problem. Its fields are the options of the environment."""

    dnns: tuple[DNNProfile | str, ...] = ("resnet18", "tinyyolov2", "resnet50", "vgg16")
    """The DNN types: names of the library, files of profiles (`my_net.json`) or, in Python, profiles. A task is of any
    type with equal probability."""
    workload: str = "mad2rl"
    """How the work of the library's layers is counted. Profiles that are passed as objects keep their counts."""
    processors: tuple[str, ...] = ()
    """Names of two devices, one for a client and one for the roadside unit, with measured times of every DNN. The times
    hold for processors at the middle of `client_ghz` and `rsu_ghz`. Empty to count operations instead."""
    num_rsus: int = 3
    """Number of roadside units, at most 10,000. On a road that lists several, those nearest to its own unit."""
    rsu_spacing_m: float = 600.0
    """Distance between neighbouring units on a road that lists one: symmetric about that unit."""
    num_client_vehicles: int = 8
    """Number of seats for clients, at most 10,000. When a vehicle leaves, another one takes its seat."""
    num_service_vehicles: int = 6
    """Number of seats for vehicles that run work of clients, at most 10,000; 0 for none."""
    slot_s: float = 0.5
    """Length of a slot."""
    episode_slots: int = 240
    """Number of slots in an episode, at most 100,000."""
    frames_per_task: int = 8
    """Number of inputs of a task, such as the frames of a clip. They multiply its work and data."""
    arrival_rate_hz: float = 0.1
    """Tasks that arrive at a client per second, on average; at most one a slot."""
    deadline_s: float = 10.0
    """Age at which a task is missed: a whole number of slots."""
    miss_penalty_s: float = 5.0
    """Cost of a missed task, in addition to its deadline."""
    client_ghz: tuple[float, float] = (6.0, 12.0)
    """Speed of a client's processor: range of a uniform draw for each vehicle."""
    service_ghz: tuple[float, float] = (20.0, 40.0)
    """Speed of a service vehicle's processor: range of a uniform draw for each vehicle."""
    rsu_ghz: float = 300.0
    """Speed of the server of each unit, shared among its tasks."""
    rsu_bandwidth_mhz: float = 20.0
    """Bandwidth of a cell. The vehicles that send to its roadside unit share it."""
    v2v_bandwidth_mhz: float = 10.0
    """Bandwidth of a service vehicle. The clients that send to it share it."""
    carrier_ghz: float = 5.9
    """Carrier frequency, from 0.5 to 100; 5.9 is the band of vehicles."""
    transmit_power_dbm: float = 23.0
    """Transmit power of a client at its antenna."""
    noise_figure_db: float = 9.0
    """Noise figure of the receivers."""
    shadowing: bool = True
    """Whether line of sight and shadowing are random. With False the efficiency is its mean over line of sight, without
    shadowing."""
    efficiency: EfficiencyFunction = street_efficiency
    """Efficiencies of links in bit/s/Hz: a function like `vec_envs.physics.channel.street_efficiency`."""
    hop_s: float = 0.01
    """Time of a hop between neighbouring units, in addition to the time of the data."""
    backhaul_mbps: float = 400.0
    """Rate of a hop between neighbouring units."""
    kappa_j_per_gcycle_ghz2: float = 0.01
    """Energy of computing = kappa x work x speed squared."""
    transmit_power_w: float = 2.0
    """Power that the radio consumes while it sends, in total."""
    energy_budget_w: float = 3.0
    """Long-term budget of a client's power. Energy beyond it fills the energy queue."""
    lyapunov_v: float = 100.0
    """V: the drift of the energy queues is divided by it."""
    reward: str | Objective = "drift"
    """`"drift"` (drift of the energy queues divided by V, plus the cost) or `"delay"` (the cost: times and penalties).
    From Python also a function from `SlotTerms` to costs. The reward is minus the cost."""
    observation: str = "local"
    """`"local"`: the state of a client, and of the units and service vehicles for it, now and one slot before."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dnns", as_profiles(self.dnns, workload=self.workload))
        check_options(self)
        object.__setattr__(self, "processors", tuple(self.processors) if self._devices else ())
        for name in (*COUNTS, "num_service_vehicles"):
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in RANGES:
            object.__setattr__(self, name, tuple(getattr(self, name)))

    # Agents and actions -------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @property
    def num_nodes(self) -> int:
        """The number of nodes N: the units' servers, then the service vehicles."""
        return self.num_rsus + self.num_service_vehicles

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """`client_0`, `client_1`, ..."""
        return tuple(f"client_{i}" for i in range(self.num_client_vehicles))

    @property
    def one_at_a_time(self) -> bool:
        """False: all clients act in every slot, though only those with a task to start have a choice."""
        return False

    @property
    def episode_epochs(self) -> int:
        """The number of slots in an episode."""
        return self.episode_slots

    @property
    def actions(self) -> DiscreteActions:
        """One integer for each client: 0 to start nothing, or 1 + cut x N + node to start a task."""
        return DiscreteActions(counts=(self.starts.count,) * self.num_client_vehicles)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """The cost, by which policies are ranked, then missed tasks, energy and energy queues."""
        return REPORTED

    def action_mask(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns the legal actions: 0 always; for a client that decides, also starts.

        These are every cut below L at every present node, and all layers at the client (cut L, node 0).
        """
        return self.starts.mask(decides(state), state.waiting_type, self._present(exogenous.service_present))

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch clients features"]
    ) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns the action mask from observations."""
        who, dnn, service_present = self.features.decides(observation)
        return self.starts.mask(who, dnn, self._present(service_present))

    def idle_action(self, state: State, exogenous: Exogenous) -> Int[np.ndarray, "*batch clients"]:
        """Returns action 0, which starts nothing, for each client."""
        return np.full(state.waiting.shape, WAIT)

    def action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features of every action, from 0 to 1: waiting, node, cut, and work and data for each DNN."""
        return np.repeat(self.starts.features()[None], self.num_client_vehicles, axis=0)

    def decision_kinds(
        self, state: State, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> dict[str, Bool[np.ndarray, "*batch clients"]]:
        """Returns which clients start a task, by where it runs and by how it is cut."""
        return decision_kinds(self.starts, self.num_rsus, state, action, exogenous)

    @property
    def effect_epochs(self) -> int:
        """The number of slots of a deadline: after it, a task that waits now has ended."""
        return round(self.deadline_s / self.slot_s)

    @property
    def idle(self) -> int:
        """Action 0."""
        return WAIT

    def deciders(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch clients"]:
        """Returns which clients have a task to start: one waits, and none is in flight."""
        return decides(state)

    def action_costs(self) -> StartCosts:
        """Returns the costs of starts that a client can compute; with `reward="delay"` the drift is 0."""
        return start_costs(
            self.starts,
            self.features.columns,
            self.links.mean_efficiency,
            num_rsus=self.num_rsus,
            cell_mhz=self.rsu_bandwidth_mhz,
            vehicle_mhz=self.v2v_bandwidth_mhz,
            rsu_ghz=self.rsu_ghz,
            hop_s=self.hop_s,
            backhaul_mbps=self.backhaul_mbps,
            kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
            transmit_power_w=self.transmit_power_w,
            per_v=0.0 if self.reward == "delay" else 1.0 / self.lyapunov_v,
            slot_s=self.slot_s,
        )

    def _present(self, service_present: Bool[np.ndarray, "*batch services"]) -> Bool[np.ndarray, "*batch nodes"]:
        units = np.ones((*service_present.shape[:-1], self.num_rsus), np.bool_)
        return np.concatenate([units, service_present], axis=-1)

    # Exogenous quantities -----------------------------------------------------------------------------------------

    @property
    def channel_fields(self) -> tuple[str, ...]:
        """The fields of the exogenous record that the channel determines."""
        return ("v2i_efficiency", "v2v_efficiency", "v2i_efficiency_before", "v2v_efficiency_before")

    @property
    def traffic_shape(self) -> EpisodeShape:
        """The traffic of an episode, for one slot more than there are decisions. Vehicles come and go."""
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=self.num_service_vehicles,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
            come_and_go=True,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns the exogenous record of an episode, `[slots, ...]`, with random draws from `rng`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the random draws of one episode."""
        slots, clients, services = self.episode_slots + 1, self.num_client_vehicles, self.num_service_vehicles
        return Draws(
            link_noise=rng.standard_normal((slots, clients, self.num_nodes, 2)),
            arrival=rng.random((slots, clients)),
            arriving_type=rng.integers(0, len(self.dnns), (slots, clients)),
            client_speed=rng.random((slots, clients)),
            service_speed=rng.random((slots, services)),
        )

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns links, positions, processors and arrivals, `[*batch, slots, ...]`, from draws and traffic.

        Raises `TrafficError` where the road lists several roadside units, but fewer than `num_rsus`.
        """
        return exogenous_of(
            draws,
            traffic,
            road,
            links=self.links,
            rsu_spacing_m=float(self.rsu_spacing_m),
            arrival_probability=self.arrival_rate_hz * self.slot_s,
            client_ghz=self.client_ghz,
            service_ghz=self.service_ghz,
        )

    # Observations -------------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """The number of features that a client observes."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch clients features"]:
        """Returns the features of every client, of order one. `StreetObservation` lists them."""
        return self.features.encode(state, exogenous)

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature."""
        return self.features.bounds

    @cached_property
    def global_state_size(self) -> int:
        """The number of features of the global state."""
        empty = np.zeros((self.num_client_vehicles, self.observation_size), np.float32)
        return int(global_state(self.features, empty).shape[-1])

    def global_state(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch features"]:
        """Returns the observations of all clients, with each shared feature once."""
        return global_state(self.features, self.observe(state, exogenous))

    # Transitions and costs ----------------------------------------------------------------------------------------

    def initial_state(self, batch_shape: tuple[int, ...] = ()) -> State:
        """Returns a state without tasks, and with empty energy queues."""
        shape = (*batch_shape, self.num_client_vehicles)
        flags = {name: np.zeros(shape, np.bool_) for name in ("waiting", "in_flight")}
        whole = {"waiting_type": np.zeros(shape, np.int64), "node": np.full(shape, -1)}
        others = {field.name: np.zeros(shape) for field in fields(State) if field.name not in flags | whole}
        return State(**flags, **whole, **others)

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the next state and the outcome of a slot; changes none of its arguments.

        An action at a client that does not decide means 0; so does a start at an empty service seat. Batch axes of
        `state`, `action` and `exogenous` are broadcast. Raises `ValueError` with the client and the bound for an action
        that is not an integer in range.
        """
        next_state, terms = self.dynamics.slot(state, self.starts.checked(action, self.num_client_vehicles), exogenous)
        copied = ("done", "missed", "withdrawn", "arrived", "task_time_s", "in_system_s", "energy_j", "drift", "cost_s")
        values: dict[str, Any] = {name: getattr(terms, name) for name in copied}
        mean_arrivals = np.broadcast_to(np.asarray(exogenous.mean_arrivals), terms.drift.shape)
        return next_state, Outcome(**values, mean_arrivals=mean_arrivals, reward=-self.objective()(terms))

    def objective(self, chosen: str | Objective | None = None) -> Objective:
        """Returns the objective of this name, or a function unchanged; by default the problem's own objective.

        The reward is minus the problem's own objective.

        Raises:
            ValueError: The name is unknown; the message lists the known names.
        """
        chosen = self.reward if chosen is None else chosen
        if not isinstance(chosen, str):
            return chosen
        check_one_of(REWARDS, objective=chosen)
        return DriftPlusCost(name=chosen, lyapunov_v=float(self.lyapunov_v))

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns the infos of a slot by name, as `[*batch]` arrays; `metrics_of` lists them."""
        return metrics_of(next_state, outcome)

    def scenery(self) -> Scenery:
        """Returns the nodes and the queues of all scenes."""
        return scenery_of(self)

    def scene(self, played: PlayedSlot) -> SceneFrame:
        """Returns the scene of a slot."""
        return scene_of(self, played)

    # Parts of the problem -----------------------------------------------------------------------------------------

    @cached_property
    def starts(self) -> StartActions:
        """The encoding of actions, and the tables of work and data."""
        return StartActions(
            profiles=self.profiles,
            frames_per_task=self.frames_per_task,
            num_nodes=self.num_nodes,
            processors=self._devices,
        )

    @property
    def _devices(self) -> Processors | None:
        reference_ghz = sum(self.client_ghz) / 2
        return as_processors(self.processors, self.profiles, local_ghz=reference_ghz, edge_ghz=self.rsu_ghz)

    @cached_property
    def features(self) -> StreetObservation:
        """The encoding of observations."""
        return StreetObservation(
            num_types=len(self.dnns),
            deadline_s=float(self.deadline_s),
            num_units=self.num_rsus,
            num_services=self.num_service_vehicles,
        )

    @cached_property
    def links(self) -> StreetLinks:
        """The efficiencies of all links."""
        return StreetLinks(**{field.name: getattr(self, field.name) for field in fields(StreetLinks)})

    @cached_property
    def dynamics(self) -> SlotDynamics:
        """The dynamics of a slot."""
        own = {field.name for field in fields(SlotDynamics)} - {"actions", "misses"}
        misses = MissCost(deadline_s=float(self.deadline_s), miss_penalty_s=float(self.miss_penalty_s))
        return SlotDynamics(actions=self.starts, misses=misses, **{name: getattr(self, name) for name in own})
