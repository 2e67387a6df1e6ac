"""VEC-DNNPartition: clients cut their DNNs and send the rest to a roadside unit or to service vehicles.

In each slot every client vehicle has one inference task of its own DNN type. The client runs the layers before the cut
itself and sends the rest to one of J edge nodes. Node 0 is the roadside unit (RSU), whose processor is shared between
the DNN types by the exact minimiser of P3. Nodes 1 to S are the service vehicles. Work that is not done in a slot waits
in queues. The reward is minus the sum of the Lyapunov drift of all queues (or its bound) and V times the tasks' delays.

`dynamics.py` explains the order of the queues in arrays.
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
from vec_envs.physics.channel import PAPER_CARRIER_GHZ, RateFunction, v2i_rate_mbps, v2v_rate_mbps
from vec_envs.problems.base import DiscreteActions, Metric, View
from vec_envs.problems.dnn_partition.actions import PartitionActions
from vec_envs.problems.dnn_partition.dynamics import SlotDynamics
from vec_envs.problems.dnn_partition.known_costs import KnownCosts, known_costs
from vec_envs.problems.dnn_partition.metrics import REPORTED, metrics_of
from vec_envs.problems.dnn_partition.objective import REWARDS, DriftPlusPenalty, Objective, SlotTerms, total_cost
from vec_envs.problems.dnn_partition.observation import PartitionObservation, global_state
from vec_envs.problems.dnn_partition.options import COUNTS, RANGES, check_options
from vec_envs.problems.dnn_partition.radio import Radio
from vec_envs.problems.dnn_partition.records import Draws, Exogenous, Outcome, QueueRow, State
from vec_envs.problems.dnn_partition.scene import scene_of, scenery_of
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery
from vec_envs.records import map_arrays
from vec_envs.validation import did_you_mean

__all__ = ["DNNPartition", "Draws", "Exogenous", "Outcome", "State"]


@dataclass(frozen=True, kw_only=True)
class DNNPartition:
    """The problem of the paper. Its fields are the options, with the numbers of the paper as defaults.

    Paper: MAD2RL Eq. (54).
    Differs: `cut, node = divmod(action, J)` with `cut` = phi - 1 layers run by the client, counted from 0.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "resnet18", "vgg16")
    """The DNN types: names of the library, files of profiles (`my_net.json`) or, in Python, profiles. Section 8.1."""
    workload: str = "mad2rl"
    """The rule by which the work of the library's layers is counted. Profiles that are passed as objects keep their
    counts."""
    processors: tuple[str, ...] = ()
    """Names of two devices, one for a client and one for the roadside unit, with measured times of every DNN. The times
    hold for processors at the middle of `client_ghz` and `rsu_ghz`. Empty to count operations instead."""
    dnn_of_client: tuple[int, ...] | None = None
    """Index into `dnns` for each client; None assigns the types in turn."""
    num_client_vehicles: int = 7
    """I: the number of agents, vehicles with a task in every slot. 3 to 7 in Section 8.3; at most 10,000."""
    num_service_vehicles: int = 5
    """S: the number of vehicles that run work of clients. 3 to 7 in Section 8.3; at most 10,000."""
    lyapunov_v: float = 10.0
    """V: the weight of delay against drift. Section 8.3."""
    slot_s: float = 1.0
    """Length of a slot. Section 8.1."""
    episode_slots: int = 30
    """Number of slots in an episode, at most 100,000. Section 8.1."""
    rsu_ghz: float = 30.0
    """Speed of the roadside unit's processor, shared between the DNN types. Section 8.1."""
    client_ghz: tuple[float, float] = (4.0, 6.0)
    """Speed of a client's processor: range of a uniform draw for each client and episode. Section 8.1."""
    service_ghz: tuple[float, float] = (6.0, 8.0)
    """Speed of a service vehicle's processor: range of a uniform draw for each one and episode. Section 8.1."""
    bandwidth_mhz: float = 10.0
    """Bandwidth of each link. Section 8.1."""
    transmit_power_dbm: float = 23.0
    """Transmit power of a client. Section 8.1."""
    noise_dbm: float = -114.0
    """Noise over the bandwidth. Section 8.1."""
    noise_figure_db: float | None = None
    """Noise figure of the receivers: the noise is then thermal noise, -174 dBm/Hz over the bandwidth, plus this figure,
    and `noise_dbm` is not used. 9 is usual for receivers in vehicles. None takes `noise_dbm`, as the paper does."""
    carrier_ghz: float = PAPER_CARRIER_GHZ
    """Carrier frequency, from 0.5 to 100: the path losses of 3GPP TR 38.901 and TR 37.885 grow with it. The paper's
    constants are the case of 2; 5.9 is the band of vehicles."""
    v2v_range_m: float | None = None
    """Reach of a client: farther service vehicles are masked in a slot. A client that chooses one all the same runs all
    layers itself. None or infinity for no limit, as in the paper."""
    shared_band: bool = False
    """Whether each receiver has one band of `bandwidth_mhz`, which its senders share so that the sum of their
    transmission times is least. False gives each link a band of its own, as in the paper."""
    reward: str | Objective = "drift_bound"
    """`"drift_bound"` (the paper's, Eq. 56), `"drift"` (with the exact drift) or `"delay"` (completion times alone).
    In Python also a function from `SlotTerms` to named costs: the reward is minus their sum."""
    allocation: str = "exact"
    """`"exact"` (the exact minimiser of P3), `"capped"` (no type gets more than it can use) or `"eq46"`."""
    observation: str = "paper"
    """`"paper"` (Eq. 52) or `"extended"` (also link rates, processors and vehicle speeds). With `v2v_range_m`, the
    paper's observation also has whether each service vehicle is in reach."""
    v2i_rate: RateFunction = v2i_rate_mbps
    """Rates to the roadside unit in Mbit/s: a function like `vec_envs.physics.channel.v2i_rate_mbps` (Eq. 1)."""
    v2v_rate: RateFunction = v2v_rate_mbps
    """Rates to service vehicles in Mbit/s: a function like `vec_envs.physics.channel.v2v_rate_mbps` (Eq. 2)."""

    def __post_init__(self) -> None:
        profiles = as_profiles(self.dnns, workload=self.workload)
        object.__setattr__(self, "dnns", profiles)
        check_options(self)
        for name in COUNTS:
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in RANGES:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        types = self.dnn_of_client
        if types is None:
            types = (i % len(profiles) for i in range(self.num_client_vehicles))
        object.__setattr__(self, "dnn_of_client", tuple(int(k) for k in types))
        object.__setattr__(self, "processors", tuple(self.processors) if self._devices else ())

    # Agents and actions -------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @property
    def num_nodes(self) -> int:
        """J: the RSU and the service vehicles."""
        return self.num_service_vehicles + 1

    @cached_property
    def client_types(self) -> Int[np.ndarray, "clients"]:
        """Index of each client's DNN type."""
        return np.array(self.dnn_of_client, dtype=np.int64)

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "clients"]:
        """Number of layers L of each client's DNN."""
        return self.choices.num_layers

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """`client_0`, `client_1`, ..."""
        return tuple(f"client_{i}" for i in range(self.num_client_vehicles))

    @cached_property
    def action_counts(self) -> tuple[int, ...]:
        """Number of actions (L + 1) J of each client."""
        return tuple(int(n) for n in self.choices.counts)

    @property
    def one_at_a_time(self) -> bool:
        """False: all clients decide in every slot."""
        return False

    @property
    def episode_epochs(self) -> int:
        """The number of slots in an episode."""
        return self.episode_slots

    @property
    def actions(self) -> DiscreteActions:
        """One integer for each client, with the number of its values."""
        return DiscreteActions(counts=self.action_counts)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """The completion time, by which policies are ranked, and the backlog.

        The return does not rank policies, because `reward="drift_bound"` pays for keeping a backlog.
        """
        return REPORTED

    def action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features of every action, from 0 to 1: node, cut, and the work and data for each node.

        Work and data are fractions of the client's largest. Actions that a client does not have are rows of 0.
        """
        return self.choices.features()

    def common_action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features of every action in the same units for all clients: the node, and the work and data for it.

        So one network can value the cuts of DNNs that it was not trained on. Actions that a client does not have are
        rows of 0.
        """
        return self.choices.common_features()

    def action_costs(self) -> KnownCosts:
        """Returns the costs of actions that a client can compute from its own observation.

        Raises `ValueError` unless `observation="extended"`, which holds the rates and the processors' speeds.
        """
        if self.observation != "extended":
            raise ValueError(
                f"observation must be 'extended' for known action costs, got {self.observation!r}: "
                "they need the rates and the processors' speeds; or set action_costs=False"
            )
        return known_costs(
            self.choices.table,
            dict(self.features.columns),
            num_nodes=self.num_nodes,
            observation_size=self.observation_size,
            rsu_ghz=self.rsu_ghz,
            slot_s=self.slot_s,
            lyapunov_v=self.lyapunov_v,
            limits_reach=self.radio.limits_reach,
        )

    def action_mask(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns the legal actions of each environment: all of a client's but those at vehicles out of its reach."""
        mask = self.choices.mask()
        if self.radio.limits_reach:
            mask = self.choices.in_reach(exogenous.v2v_mbps > 0.0) & mask
        return np.broadcast_to(mask, (*state.client_backlog_gcycles.shape[:-1], *mask.shape[-2:]))

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch clients features"]
    ) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns the action mask from observations, which hold the reach of each client where it is limited."""
        mask = self.choices.mask()
        if self.radio.limits_reach:
            mask = self.choices.in_reach(self.features.reached(observation)) & mask
        return np.broadcast_to(mask, (*observation.shape[:-2], *mask.shape[-2:]))

    def as_played(
        self, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> Int[np.ndarray, "*batch clients"]:
        """Returns the actions with masked ones replaced by what they mean: the client runs all layers itself."""
        if not self.radio.limits_reach:
            return action
        reached = self.choices.node_in_reach(action, exogenous.v2v_mbps > 0.0)
        return np.where(reached, action, self.num_layers * self.num_nodes)

    def idle_action(self, state: State, exogenous: Exogenous) -> Int[np.ndarray, "*batch clients"]:
        """Returns the action of each client that runs all layers itself, which is always legal."""
        return np.broadcast_to(np.array(self.action_counts) - self.num_nodes, state.client_backlog_gcycles.shape)

    # Exogenous quantities --------------------------------------------------------------------------------------------

    @property
    def channel_fields(self) -> tuple[str, ...]:
        """The fields of the exogenous record that the channel determines."""
        return ("v2i_mbps", "v2v_mbps")

    @property
    def traffic_shape(self) -> EpisodeShape:
        """The vehicles and slots of an episode: one slot more than decisions, for the last observation."""
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=self.num_service_vehicles,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns the exogenous record of an episode, `[slots, ...]`, with random draws from `rng`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the random draws of one episode."""
        clients, services = self.num_client_vehicles, self.num_service_vehicles
        return Draws(
            fading_power=rng.standard_exponential((self.episode_slots + 1, clients, services + 1)),
            client_ghz=rng.uniform(*self.client_ghz, clients),
            service_ghz=rng.uniform(*self.service_ghz, services),
        )

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns rates, positions and processors' speeds, `[*batch, slots, ...]`, from draws and traffic."""
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        v2i_m = np.sqrt((offset_m**2).sum(axis=-1) + road.rsu_xyz_m[2] ** 2)
        between_m = traffic.client_xy_m[..., :, None, :] - traffic.service_xy_m[..., None, :, :]
        v2v_m = np.sqrt((between_m**2).sum(axis=-1))
        return Exogenous(
            client_position_m=traffic.client_position_m,
            service_position_m=traffic.service_position_m,
            v2i_mbps=self.radio.v2i_mbps(v2i_m, draws.fading_power[..., 0]),
            v2v_mbps=self.radio.v2v_mbps(v2v_m, draws.fading_power[..., 1:]),
            client_ghz=np.broadcast_to(draws.client_ghz[..., None, :], traffic.client_position_m.shape),
            service_ghz=np.broadcast_to(draws.service_ghz[..., None, :], traffic.service_position_m.shape),
            client_speed_mps=traffic.client_speed_mps,
            service_speed_mps=traffic.service_speed_mps,
        )

    # Observations ------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """The number of features of a client: 2J + 1, or 3J with a limited reach; 5J + 1 for `"extended"`."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch agents features"]:
        """Returns the features of every client, of order one, in the order of `PartitionObservation`."""
        return self.features.encode(state, exogenous)

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature."""
        return self.features.bounds

    @property
    def global_state_size(self) -> int:
        """The number of features of the global state."""
        clients, services = self.num_client_vehicles, self.num_service_vehicles
        return self._row.length + 4 * clients + 3 * services + clients * services

    def global_state(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch features"]:
        """Returns every queue, position, speed, rate and processor of a slot once, of order one."""
        return global_state(state, exogenous)

    # Transitions and costs -----------------------------------------------------------------------------------------

    def initial_state(self, batch_shape: tuple[int, ...] = ()) -> State:
        """Returns empty queues."""
        return self._row.state(np.zeros((*batch_shape, self._row.length)))

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the next state and the outcome of the slot; changes none of its arguments.

        `state` and `exogenous` may have batch axes of length 1 where those of `action` are longer. Raises `ValueError`
        with the client and the bound for an action that is not an integer in range.
        """
        terms = self.slot_terms(state, action, exogenous)
        rewards = {name: -cost for name, cost in self.objective()(terms).items()}
        return self._row.state(terms.next_backlog_gcycles), Outcome(
            delay_s=terms.delay_s,
            local_s=terms.local_s,
            transmit_s=terms.transmit_s,
            process_s=terms.process_s,
            wait_s=terms.wait_s,
            rsu_allocation_ghz=terms.rsu_allocation_ghz,
            drift=terms.drift,
            drift_bound=terms.drift_bound,
            reward_terms=rewards,
            reward=total_cost(rewards),
        )

    def slot_terms(self, state: State, action: Shaped[np.ndarray, "*batch clients"], exogenous: Exogenous) -> SlotTerms:
        """Returns all quantities of a slot that an objective may use. Raises `ValueError` as `transition` does."""
        return self.dynamics.slot(state, self.choices.checked(action), exogenous)

    def objective(self, chosen: str | Objective | None = None) -> Objective:
        """Returns the objective of this name, a function unchanged, or for None the problem's own objective.

        The reward is minus the problem's own objective. Raises `ValueError` with the known names for an unknown one.
        """
        chosen = self.reward if chosen is None else chosen
        if not isinstance(chosen, str):
            return chosen
        return self._named_objectives[chosen] if chosen in self._named_objectives else _unknown(chosen)

    def cost(
        self,
        view: View,
        action: Int[np.ndarray, "batch *tries clients"],
        objective: str | Objective | None = None,
    ) -> Float[np.ndarray, "batch *tries"]:
        """Returns the cost of one or more joint actions in the slot of each environment; less is better."""
        axes = tuple(range(1, action.ndim - 1))
        state, exogenous = (map_arrays(lambda a: np.expand_dims(a, axes), r) for r in (view.state, view.exogenous))
        return np.asarray(total_cost(self.objective(objective)(self.slot_terms(state, action, exogenous))))

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns the infos of a slot by name, each a `[*batch]` array."""
        return metrics_of(next_state, outcome)

    def scenery(self) -> Scenery:
        """Returns the nodes and the queue of all scenes."""
        return scenery_of(self)

    def scene(self, played: PlayedSlot) -> SceneFrame:
        """Returns the scene of a slot."""
        return scene_of(self, played.decisions[0])

    # Parts of the problem -----------------------------------------------------------------------------------------

    @cached_property
    def choices(self) -> PartitionActions:
        """The encoding of actions, and the table of their work and data."""
        return PartitionActions(
            profiles=self.profiles,
            client_types=self.client_types,
            num_nodes=self.num_nodes,
            processors=self._devices,
        )

    @property
    def _devices(self) -> Processors | None:
        reference_ghz = sum(self.client_ghz) / 2
        return as_processors(self.processors, self.profiles, local_ghz=reference_ghz, edge_ghz=self.rsu_ghz)

    @cached_property
    def features(self) -> PartitionObservation:
        """The encoding of observations."""
        return PartitionObservation(
            kind=self.observation,
            client_types=self.client_types,
            num_nodes=self.num_nodes,
            has_reach=self.radio.limits_reach,
        )

    @cached_property
    def radio(self) -> Radio:
        """The radio: the rates of all links, and whether reach is limited."""
        return Radio(**{field.name: getattr(self, field.name) for field in fields(Radio)})

    @cached_property
    def _row(self) -> QueueRow:
        return QueueRow(
            num_clients=self.num_client_vehicles, num_types=len(self.dnns), num_services=self.num_service_vehicles
        )

    @cached_property
    def dynamics(self) -> SlotDynamics:
        """The dynamics of a slot."""
        return SlotDynamics(
            actions=self.choices,
            queues=self._row,
            lyapunov_v=float(self.lyapunov_v),
            slot_s=float(self.slot_s),
            rsu_ghz=float(self.rsu_ghz),
            allocation=self.allocation,
            limits_reach=self.radio.limits_reach,
            shared_band=bool(self.shared_band),
        )

    @cached_property
    def _named_objectives(self) -> dict[str, DriftPlusPenalty]:
        return {name: DriftPlusPenalty(name=name, lyapunov_v=float(self.lyapunov_v)) for name in REWARDS}


def _unknown(name: str) -> Objective:
    near = did_you_mean(name, REWARDS)
    raise ValueError(f"objective must be one of {', '.join(map(repr, REWARDS))}, or a function, got {name!r}{near}")
