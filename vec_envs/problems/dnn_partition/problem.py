"""VEC-DNNPartition: clients cut their DNNs and send the rest to a roadside unit or to service vehicles.

Each slot every client vehicle has one inference task of its own DNN type. It runs the layers before the cut itself
and sends the rest to one of J edge nodes: node 0 is the roadside unit (RSU), whose processor is shared between the
DNN types by the exact minimiser of P3, nodes 1 to S are the service vehicles. Work that a slot leaves behind waits
in queues; the reward is minus the Lyapunov drift of all queues (or its bound) plus V times the tasks' delays.

In arrays the queues stand in one row: I clients, then K types at the RSU, then S service vehicles. The last K + S are
the *servers*: a task sent to node 0 goes to the server of its own type, so "other clients of the same type" at the
RSU and "all other clients" at a service vehicle are both the others at the same server.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.dnn.profile import DNNProfile, as_profiles
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.physics import lyapunov, offloading
from vec_envs.physics.allocation import allocate_rsu, allocate_rsu_capped
from vec_envs.physics.channel import RateFunction, checked_rates_mbps, v2i_rate_mbps, v2v_rate_mbps
from vec_envs.physics.queues import next_backlog_gcycles
from vec_envs.problems.base import DiscreteActions, Metric
from vec_envs.problems.dnn_partition.actions import PartitionActions
from vec_envs.problems.dnn_partition.observation import OBSERVATIONS, PartitionObservation
from vec_envs.problems.dnn_partition.records import Draws, Exogenous, Outcome, QueueRow, Queues, State
from vec_envs.validation import a_function, count, decibels, one_of, positive, positive_range

__all__ = ["DNNPartition", "Draws", "Exogenous", "Outcome", "State"]

PerClient = Float[np.ndarray, "*batch clients"]
PerType = Float[np.ndarray, "*batch types"]

REWARDS = ("drift_bound", "drift", "delay")
ALLOCATIONS = ("exact", "capped", "eq46")


@dataclass(frozen=True, kw_only=True)
class DNNPartition:
    """The problem of the paper, with its numbers as defaults.

    Paper: MAD2RL Eq. (54).
    Differs: `cut, node = divmod(action, J)` with `cut` = phi - 1 layers run by the client, counted from 0.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "resnet18", "vgg16")
    """The DNN types: names of the library, or from Python also profiles. Section 8.1."""
    workload: str = "mad2rl"
    """How the library's layers are counted; profiles given as such carry their own counts."""
    dnn_of_client: tuple[int, ...] | None = None
    """Index into `dnns` for each client; None deals them out in turn."""
    num_client_vehicles: int = 7
    """I: vehicles with a task in every slot, the agents. 3 to 7 in Section 8.3."""
    num_service_vehicles: int = 5
    """S: vehicles that take work of others. 3 to 7 in Section 8.3."""
    lyapunov_v: float = 10.0
    """Weight of delay against drift. Section 8.3."""
    slot_s: float = 1.0
    """Length of a slot. Section 8.1."""
    episode_slots: int = 30
    """Slots of an episode. Section 8.1."""
    rsu_ghz: float = 30.0
    """Speed of the roadside unit's processor, shared between the DNN types. Section 8.1."""
    client_ghz: tuple[float, float] = (4.0, 6.0)
    """A client's processor: range of the uniform draw, for each and episode. Section 8.1."""
    service_ghz: tuple[float, float] = (6.0, 8.0)
    """A service vehicle's processor: range of the uniform draw, for each and episode. Section 8.1."""
    bandwidth_mhz: float = 10.0
    """Of each link. Section 8.1."""
    transmit_power_dbm: float = 23.0
    """What a client sends with. Section 8.1."""
    noise_dbm: float = -114.0
    """Noise over the bandwidth. Section 8.1."""
    reward: str = "drift_bound"
    """`"drift_bound"` (the paper's, Eq. 56), `"drift"` (with the exact drift) or `"delay"` (completion times alone)."""
    allocation: str = "exact"
    """`"exact"` (P3 to the letter), `"capped"` (no type gets more than it can use) or `"eq46"`."""
    observation: str = "paper"
    """`"paper"` (Eq. 52) or `"extended"` (also link rates, processors and vehicle speeds)."""
    v2i_rate: RateFunction = v2i_rate_mbps
    """Rates to the roadside unit, in Mbit/s: a function as `vec_envs.physics.channel.v2i_rate_mbps` (Eq. 1)."""
    v2v_rate: RateFunction = v2v_rate_mbps
    """Rates to service vehicles, likewise (Eq. 2)."""

    def __post_init__(self) -> None:
        profiles = as_profiles(self.dnns, workload=self.workload)
        object.__setattr__(self, "dnns", profiles)
        count(1, num_client_vehicles=self.num_client_vehicles, episode_slots=self.episode_slots)
        count(0, num_service_vehicles=self.num_service_vehicles)
        for name in ("num_client_vehicles", "num_service_vehicles", "episode_slots"):
            object.__setattr__(self, name, int(getattr(self, name)))
        if self.dnn_of_client is None:
            round_robin = tuple(i % len(profiles) for i in range(self.num_client_vehicles))
            object.__setattr__(self, "dnn_of_client", round_robin)
        _check_types_of_clients(self)
        _check_numbers(self)

    # What the agents are ------------------------------------------------------------------------------------------

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
        """All clients decide at every point: an episode's points are its slots."""
        return False

    @property
    def episode_epochs(self) -> int:
        """The slots of an episode."""
        return self.episode_slots

    @property
    def actions(self) -> DiscreteActions:
        """An integer for each client."""
        return DiscreteActions(counts=self.action_counts)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """Completion time, by which policies are ranked, and backlog: a return can be gamed."""
        return Metric(name="completion_time_s", unit="s"), Metric(name="backlog_gcycles", unit="Gc", final=True)

    def action_exists(self) -> Bool[np.ndarray, "agents actions"]:
        """Returns which entries of a row of max(action_counts) actions each client has."""
        return self.choices.mask()

    def action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns what actions have in common, from 0 to 1: node, cut, and the work and data for each node.

        Work and data are parts of the client's largest. A client's missing actions are rows of 0.
        """
        return self.choices.features()

    def action_mask(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns `action_mask` for every lane: a client always has all its actions."""
        lanes = state.client_backlog_gcycles.shape[:-1]
        return np.broadcast_to(self.action_exists(), (*lanes, self.num_client_vehicles, max(self.action_counts)))

    # What exogenous decides ------------------------------------------------------------------------------------------

    @property
    def traffic_shape(self) -> EpisodeShape:
        """The traffic of an episode: a slot more than it has decisions, so that its last observation exists too."""
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=self.num_service_vehicles,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns exogenous's part of an episode, one lane a slot: draws with `rng`, then `exogenous`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the raw draws of one episode."""
        clients, services = self.num_client_vehicles, self.num_service_vehicles
        return Draws(
            fading_power=rng.standard_exponential((self.episode_slots + 1, clients, services + 1)),
            client_ghz=rng.uniform(*self.client_ghz, clients),
            service_ghz=rng.uniform(*self.service_ghz, services),
        )

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns rates, positions and processors of episodes, `[*lanes, slots, ...]`, from draws and traffic."""
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        v2i_m = np.sqrt((offset_m**2).sum(axis=-1) + road.rsu_xyz_m[2] ** 2)
        between_m = traffic.client_xy_m[..., :, None, :] - traffic.service_xy_m[..., None, :, :]
        v2v_m = np.sqrt((between_m**2).sum(axis=-1))
        radio = {
            "bandwidth_mhz": self.bandwidth_mhz,
            "transmit_power_dbm": self.transmit_power_dbm,
            "noise_dbm": self.noise_dbm,
        }
        v2i_mbps = self.v2i_rate(v2i_m, draws.fading_power[..., 0], **radio)
        v2v_mbps = self.v2v_rate(v2v_m, draws.fading_power[..., 1:], **radio)
        return Exogenous(
            client_position_m=traffic.client_position_m,
            service_position_m=traffic.service_position_m,
            v2i_mbps=checked_rates_mbps(v2i_mbps, v2i_m, of="v2i_rate"),
            v2v_mbps=checked_rates_mbps(v2v_mbps, v2v_m, of="v2v_rate"),
            client_ghz=np.broadcast_to(draws.client_ghz[..., None, :], traffic.client_position_m.shape),
            service_ghz=np.broadcast_to(draws.service_ghz[..., None, :], traffic.service_position_m.shape),
            client_speed_mps=traffic.client_speed_mps,
            service_speed_mps=traffic.service_speed_mps,
        )

    # What the agents see ------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """Number of features an agent observes: 2J + 1, and 3J more where extended."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch agents features"]:
        """Returns every client's local state, scaled to order one; `PartitionObservation` says what stands where."""
        return self.features.of(state, exogenous)

    # What a decision does -----------------------------------------------------------------------------------------

    def initial_state(self, lanes: tuple[int, ...] = ()) -> State:
        """Returns empty queues."""
        return self._row.state(np.zeros((*lanes, self._row.length)))

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the next state and what the slot brought; a pure function.

        `state` and `exogenous` may have lanes of length 1 where `action` has more. Raises `ValueError` for an action
        that is not an integer in range, naming the client and the bound.

        Paper: MAD2RL Eqs. (12), (16), (17).
        """
        entry = self.choices.checked(action) + self.choices.first_entry
        lanes = entry.shape[:-1]
        lane = np.arange(math.prod(lanes)).reshape((*lanes, 1))
        table = self.choices.table
        edge, offloads = table.edge_gflops.take(entry), table.offloads.take(entry)
        server = (table.server.take(entry) + (lane * self._row.length + self.num_client_vehicles)).ravel()

        backlog = self._row.join(lanes, state.client_backlog_gcycles, state.rsu_backlog_gcycles,
                                 state.service_backlog_gcycles)  # fmt: skip
        arrivals = np.bincount(server, edge.ravel(), backlog.size).reshape(backlog.shape)
        num_tasks = np.bincount(server, offloads.ravel(), backlog.size).reshape(backlog.shape)
        rsu_ghz = self.rsu_allocation_ghz(backlog[self._row.rsu], arrivals[self._row.rsu], num_tasks[self._row.rsu])
        speed = self._row.join(lanes, exogenous.client_ghz, rsu_ghz, exogenous.service_ghz)

        server_speed, server_backlog, server_arrivals = (
            row.take(server).reshape(entry.shape) for row in (speed, backlog, arrivals)
        )
        served = offloads & (server_speed > 0.0)
        link = table.link.take(entry) + lane * (self.num_client_vehicles * self.num_nodes)
        arrivals[self._row.clients] = table.local_gflops.take(entry)
        parts = {
            "local_s": offloading.local_s(
                backlog[self._row.clients],
                arrivals[self._row.clients],
                speed[self._row.clients],
                table.runs_local.take(entry),
            ),
            "transmit_s": offloading.transmit_s(table.sent_mbit.take(entry), self._rates(lanes, exogenous).take(link)),
            "process_s": offloading.process_s(server_backlog, edge, server_speed, served),
            "wait_s": offloading.wait_s(server_arrivals - edge, server_speed, served),
        }
        return self._close_slot(backlog, arrivals, speed * self.slot_s, rsu_ghz, parts)

    def _close_slot(
        self, backlog: Queues, arrivals: Queues, service: Queues, rsu_ghz: PerType, parts: dict[str, PerClient]
    ) -> tuple[State, Outcome]:
        """Returns the state after the slot, and its outcome with drift and reward.

        Paper: MAD2RL Eqs. (30), (56).
        Differs: (30) is minus the reward `"drift"` of one realised slot.
        """
        following = next_backlog_gcycles(backlog, arrivals, service)
        delay_s = parts["local_s"] + parts["transmit_s"] + parts["process_s"] + parts["wait_s"]
        drift = lyapunov.drift(backlog, following)
        drift_bound = lyapunov.drift_bound(backlog, arrivals, service)
        weight = 1.0 if self.reward == "delay" else self.lyapunov_v
        delay_term = -weight * np.add.reduce(delay_s, axis=-1)
        drift_term = {"drift_bound": -drift_bound, "drift": -drift, "delay": np.zeros_like(drift)}[self.reward]
        return self._row.state(following), Outcome(
            delay_s=delay_s,
            **parts,
            rsu_allocation_ghz=rsu_ghz,
            drift=drift,
            drift_bound=drift_bound,
            drift_term=drift_term,
            delay_term=delay_term,
            reward=drift_term + delay_term,
        )

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns what is reported of a slot: `[*lanes]` arrays under the names of the infos."""
        client, rsu, service = (
            np.add.reduce(backlog, axis=-1)
            for backlog in (
                next_state.client_backlog_gcycles,
                next_state.rsu_backlog_gcycles,
                next_state.service_backlog_gcycles,
            )
        )
        return {
            "completion_time_s": np.add.reduce(outcome.delay_s, axis=-1),
            "backlog_gcycles": client + rsu + service,
            "client_backlog_gcycles": client,
            "rsu_backlog_gcycles": rsu,
            "service_backlog_gcycles": service,
            "drift": outcome.drift,
            "drift_bound": outcome.drift_bound,
            "reward_terms": {"drift": outcome.drift_term, "delay": outcome.delay_term},
        }

    # What it is composed of -----------------------------------------------------------------------------------------

    @cached_property
    def choices(self) -> PartitionActions:
        """What the actions are."""
        return PartitionActions(profiles=self.profiles, client_types=self.client_types, num_nodes=self.num_nodes)

    @cached_property
    def features(self) -> PartitionObservation:
        """How clients see a slot."""
        return PartitionObservation(kind=self.observation, client_types=self.client_types, num_nodes=self.num_nodes)

    @cached_property
    def _row(self) -> QueueRow:
        return QueueRow(
            num_clients=self.num_client_vehicles, num_types=len(self.dnns), num_services=self.num_service_vehicles
        )

    def _rates(self, lanes: tuple[int, ...], exogenous: Exogenous) -> Float[np.ndarray, "*batch clients nodes"]:
        rates = np.empty((*lanes, self.num_client_vehicles, self.num_nodes))
        rates[..., 0], rates[..., 1:] = exogenous.v2i_mbps, exogenous.v2v_mbps
        return rates

    def rsu_allocation_ghz(self, backlog: PerType, arrivals: PerType, num_tasks: PerType) -> PerType:
        """Returns the RSU's speed for each type, by the weights that the delays of its tasks have in P3.

        Paper: MAD2RL Eq. (46).
        Differs: the backlog counts once a task, as it does in Eq. (42); `allocation="eq46"` counts it once, also where
        nobody offloads.
        """
        of_backlog = backlog if self.allocation == "eq46" else num_tasks * backlog
        gamma = self.lyapunov_v * (of_backlog + 0.5 * (num_tasks + 1.0) * arrivals)
        if self.allocation == "capped":
            usable_ghz = (backlog + arrivals) / self.slot_s
            return allocate_rsu_capped(gamma, backlog, usable_ghz, capacity_ghz=self.rsu_ghz, slot_s=self.slot_s)
        return allocate_rsu(gamma, backlog, capacity_ghz=self.rsu_ghz, slot_s=self.slot_s)


def _check_types_of_clients(problem: DNNPartition) -> None:
    given: Any = problem.dnn_of_client
    if not np.iterable(given) or not all(isinstance(k, int | np.integer) for k in given):
        raise ValueError(f"dnn_of_client={given!r} must be a list of integers, one a client")
    types = tuple(int(k) for k in given)
    object.__setattr__(problem, "dnn_of_client", types)
    if len(types) != problem.num_client_vehicles:
        raise ValueError(
            f"dnn_of_client has {len(types)} entries for num_client_vehicles={problem.num_client_vehicles}"
        )
    if any(not 0 <= k < len(problem.dnns) for k in types):
        raise ValueError(f"dnn_of_client={types} must index dnns, from 0 to {len(problem.dnns) - 1}")


def _check_numbers(problem: DNNPartition) -> None:
    one_of(REWARDS, reward=problem.reward)
    one_of(ALLOCATIONS, allocation=problem.allocation)
    one_of(OBSERVATIONS, observation=problem.observation)
    positive(lyapunov_v=problem.lyapunov_v, slot_s=problem.slot_s, rsu_ghz=problem.rsu_ghz)
    positive(bandwidth_mhz=problem.bandwidth_mhz)
    positive_range(client_ghz=problem.client_ghz, service_ghz=problem.service_ghz)
    for name in ("client_ghz", "service_ghz"):
        object.__setattr__(problem, name, tuple(getattr(problem, name)))
    decibels(transmit_power_dbm=problem.transmit_power_dbm, noise_dbm=problem.noise_dbm)
    a_function(v2i_rate=problem.v2i_rate, v2v_rate=problem.v2v_rate)
