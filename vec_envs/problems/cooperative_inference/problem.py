"""VEC-CooperativeInference: devices cut their DNNs and share an edge server, within long-term budgets.

The tasks of each device arrive as a Poisson process. The device runs the layers before its cut, one task after the
other, and sends the rest of the work to the server. In every slot the policy decides the cuts. Then three resources are
allocated: the speed of each device, the shares of the server, and the shares of the bandwidth. For given cuts these are
convex problems, which `transition` solves exactly. Virtual queues count how far energy and memory exceed their
budgets. The reward is minus the sum of queues x use and V x delays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.dnn.choices import as_profiles
from vec_envs.dnn.processors import Processors, as_processors
from vec_envs.dnn.profile import DNNProfile
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.physics.inference import MOST_LOAD
from vec_envs.problems.base import ContinuousActions, DiscreteActions, Metric
from vec_envs.problems.cooperative_inference.actions import CutActions
from vec_envs.problems.cooperative_inference.budgets import Budgets
from vec_envs.problems.cooperative_inference.channel import InferenceChannel
from vec_envs.problems.cooperative_inference.cuts import CutTable, cut_table
from vec_envs.problems.cooperative_inference.dynamics import SlotDynamics
from vec_envs.problems.cooperative_inference.extremes import check_extremes, check_gains
from vec_envs.problems.cooperative_inference.metrics import REPORTED, metrics_of
from vec_envs.problems.cooperative_inference.objective import REWARDS, DriftPlusPenalty, Objective
from vec_envs.problems.cooperative_inference.observation import OBSERVATIONS, InferenceObservation
from vec_envs.problems.cooperative_inference.options import (
    ALLOCATIONS,
    POSITIVE,
    UNSTABLE,
    check_budgets,
    check_devices,
)
from vec_envs.problems.cooperative_inference.records import (
    Allocation,
    Cuts,
    Draws,
    Exogenous,
    Outcome,
    PerDevice,
    State,
)
from vec_envs.problems.cooperative_inference.scene import scene_of, scenery_of
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery
from vec_envs.units import watt_from_dbm
from vec_envs.validation import (
    MOST_SLOTS,
    check_at_most,
    check_decibels,
    check_integer,
    check_list,
    check_name_or_function,
    check_one_of,
    check_positive,
    check_positive_range,
    check_product,
)

__all__ = ["Allocation", "CooperativeInference", "Draws", "Exogenous", "Outcome", "State"]


@dataclass(frozen=True, kw_only=True)
class CooperativeInference:
    """The problem of the paper (P1). The defaults are the paper's numbers.

    Paper: LyMDO Eq. (7).
    Differs: cut 0, everything at the server, is a choice too, as in the baseline Edge.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "resnet18")
    """The DNN types: names of the library, files of profiles (`my_net.json`) or, in Python, profiles. Section V.A."""
    processors: tuple[str, ...] = ()
    """Names of two processors, one for a device and one for the server, with measured times of every DNN. The times
    hold at `device_ghz` and `server_ghz`. Empty to count multiply-accumulates instead."""
    dnn_of_device: tuple[int, ...] = (0, 0, 1, 1, 1)
    """The index into `dnns` of each device. Its length is the number of devices, at most 10,000.
    Section V.A."""
    energy_budget_j: tuple[float, ...] = (0.040, 0.060)
    """Long-term budget of the energy that a device spends in a second, for each DNN type. Table I."""
    memory_budget_gb: tuple[float, ...] = (0.100, 0.030)
    """Long-term budget of the memory of a device's tasks, on both sides together, for each DNN type. Table I."""
    lyapunov_v: float = 10.0
    """V, the weight of delay against the virtual queues. Table I."""
    slot_s: float = 1.0
    """Length of a slot, for the traffic. Energies are always counted over one second."""
    episode_slots: int = 200
    """Number of slots in an episode, at most 100,000. Section V.A."""
    arrival_rate_hz: tuple[float, float] = (0.5, 2.5)
    """Range of the arrival rate, drawn uniformly for each device and slot; constant if both are equal. Table I."""
    arrival_profile_hz: tuple[float, ...] = ()
    """Arrival rates of all devices slot by slot; the last one is kept. If empty, rates are drawn at random."""
    device_ghz: float = 1.5
    """Maximum speed of a device. Table I."""
    server_ghz: float = 15.0
    """Speed of the edge server's processor, shared between the devices. Table I."""
    cycles_per_mac: float = 0.12
    """Processor cycles of a multiply-accumulate. Table I."""
    kappa_j_per_gcycle_ghz2: float = 0.1
    """Energy of computing = kappa x work x speed squared. Table I: 1e-28 J/(cycle Hz^2)."""
    bandwidth_mhz: float = 5.0
    """Bandwidth, shared between the devices. Section V.A."""
    noise_dbm_per_hz: float = -174.0
    """Power density of the noise. Section V.A, which lacks the sign."""
    transmit_power_w: float = 0.1
    """Transmit power of a device. Table I."""
    device_memory_factor: float = 0.2
    """Cost of a byte of parameters at the device. Table I."""
    server_memory_factor: float = 0.8
    """Cost of a byte of parameters at the server. Table I."""
    energy_queue_scale: float = 100.0
    """nu_e, in 1/J: growth of the energy queue for each joule above the budget. Table I."""
    memory_queue_scale: float = 10.0
    """nu_c, in 1/GB: growth of the memory queue for each gigabyte above the budget. Table I."""
    antenna_gain: float = 3.0
    """A_d of the free-space path loss. Section V.A."""
    carrier_mhz: float = 915.0
    """Carrier frequency. Section V.A."""
    path_loss_exponent: float = 3.0
    """Exponent of the path loss over distance. Section V.A."""
    allocation: str = "exact"
    """`"exact"`: resources are the solutions of P3, P4 and P5. `"learned"`: the action also gives the resources."""
    unstable: str = "error"
    """A cut whose load the device cannot carry raises an `"error"`, or becomes the largest legal cut (`"clip"`)."""
    reward: str | Objective = "drift_bound"
    """`"drift_bound"` (Eq. 14), `"drift"` (minus Eq. 10, with the exact drift of the virtual queues) or `"delay"`. From
    Python also a function from `SlotTerms` to costs. The reward is minus the cost."""
    observation: str = "paper"
    """`"paper"` (Section IV.B: gain, rate, queues) or `"extended"` (also DNN type, and whether cut L is legal)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dnns", as_profiles(self.dnns, workload="mad2rl"))
        for name in ("dnn_of_device", "energy_budget_j", "memory_budget_gb", "arrival_rate_hz", "arrival_profile_hz"):
            check_list(**{name: getattr(self, name)})
            object.__setattr__(self, name, tuple(getattr(self, name)))
        num_types = len(self.dnns)
        check_devices(self.dnn_of_device, num_types=num_types)
        check_budgets(num_types=num_types, energy_budget_j=self.energy_budget_j, memory_budget_gb=self.memory_budget_gb)
        for name in POSITIVE:
            check_positive(**{name: getattr(self, name)})
        check_decibels(noise_dbm_per_hz=self.noise_dbm_per_hz)
        check_integer(1, episode_slots=self.episode_slots)
        object.__setattr__(self, "episode_slots", int(self.episode_slots))
        check_at_most(MOST_SLOTS, episode_slots=self.episode_slots)
        check_at_most(MOST_SLOTS, **{"the length of arrival_profile_hz": len(self.arrival_profile_hz)})
        check_product(episode_slots=self.episode_slots, devices=self.num_devices)
        check_positive_range(arrival_rate_hz=self.arrival_rate_hz)
        for n, rate in enumerate(self.arrival_profile_hz):
            check_positive(**{f"arrival_profile_hz[{n}]": rate})
        check_one_of(ALLOCATIONS, allocation=self.allocation)
        check_one_of(UNSTABLE, unstable=self.unstable)
        check_name_or_function(REWARDS, "terms", reward=self.reward)
        check_one_of(OBSERVATIONS, observation=self.observation)
        object.__setattr__(self, "processors", tuple(self.processors) if self._devices else ())
        check_extremes(self, self._dynamics)

    # Agents and actions -------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @property
    def num_devices(self) -> int:
        """The number of devices N."""
        return len(self.dnn_of_device)

    @cached_property
    def device_types(self) -> Int[np.ndarray, "devices"]:
        """The index of each device's DNN type."""
        return np.array(self.dnn_of_device, dtype=np.int64)

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "devices"]:
        """The number of layers L of each device's DNN."""
        return np.array([profile.num_layers for profile in self.profiles])[self.device_types]

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """The names of the agents: `client_0` is device 0, and so on.

        TorchRL groups agents by the word before the number, and reserves the word `device`.
        """
        return tuple(f"client_{n}" for n in range(self.num_devices))

    @property
    def one_at_a_time(self) -> bool:
        """False: all devices decide at every decision epoch, which is a slot."""
        return False

    @property
    def episode_epochs(self) -> int:
        """The number of decision epochs in an episode: its slots."""
        return self.episode_slots

    @property
    def action_counts(self) -> tuple[int, ...]:
        """The number of cuts L + 1 of each device."""
        return tuple(int(n) + 1 for n in self.num_layers)

    @property
    def actions(self) -> DiscreteActions | ContinuousActions:
        """A cut for each device; where resources are learned, four numbers: cut, own speed, two logits of shares."""
        return DiscreteActions(counts=self.action_counts) if self.allocation == "exact" else ContinuousActions(size=4)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """The mean delay of a task, which ranks policies, then use and virtual queues of energy and memory."""
        return REPORTED

    def action_mask(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch devices cuts"]:
        """Returns the legal cuts (C7): those whose load the device carries at maximum speed. Cut 0 is always legal."""
        return self._carried(exogenous.arrival_rate_hz)

    def idle_action(self, state: State, exogenous: Exogenous) -> Int[np.ndarray, "*batch devices"]:
        """Returns the largest legal cut of each device: it sends as little work as it can."""
        mask = self.action_mask(state, exogenous)
        return mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1)

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch devices features"]
    ) -> Bool[np.ndarray, "*batch devices cuts"]:
        """Returns the action mask from observations, which hold the arrival rate to seven digits."""
        return self._carried(self.features.rates_of(observation))

    def _carried(
        self, rate_hz: PerDevice | Float32[np.ndarray, "*batch devices"]
    ) -> Bool[np.ndarray, "*batch devices cuts"]:
        load = self.cut_table.local_gcycles * rate_hz[..., None]
        return self._has_cut & np.less(load, MOST_LOAD * self.device_ghz)

    @cached_property
    def _has_cut(self) -> Bool[np.ndarray, "devices cuts"]:
        return np.arange(max(self.action_counts)) < np.array(self.action_counts)[:, None]

    @cached_property
    def cut_table(self) -> CutTable:
        """Work, data and memory of each device and cut."""
        return cut_table(
            self.profiles,
            self.device_types,
            cycles_per_mac=self.cycles_per_mac,
            device_memory_factor=self.device_memory_factor,
            server_memory_factor=self.server_memory_factor,
            processors=self._devices,
        )

    @property
    def _devices(self) -> Processors | None:
        return as_processors(self.processors, self.profiles, local_ghz=self.device_ghz, edge_ghz=self.server_ghz)

    # Exogenous randomness -----------------------------------------------------------------------------------------

    @property
    def channel_fields(self) -> tuple[str, ...]:
        """The fields of the exogenous record that the channel determines."""
        return ("gain",)

    @property
    def traffic_shape(self) -> EpisodeShape:
        """The traffic that an episode needs, for one slot more than there are decisions.

        On a road a device is a seat for vehicles. No vehicle stays in range for the 200 s of an episode, so another
        vehicle takes the seat of one that leaves.
        """
        return EpisodeShape(
            num_client_vehicles=self.num_devices,
            num_service_vehicles=0,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
            come_and_go=True,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns the exogenous record of an episode, `[slots, devices]`: `sample` with `rng`, then `exogenous`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the random draws of one episode."""
        shape = self.episode_slots + 1, self.num_devices
        return Draws(fading_power=rng.standard_exponential(shape), arrival=rng.random(shape))

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns gains and rates of episodes, `[*batch, slots, devices]`. A seat without a vehicle has no arrivals."""
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        distance_m = np.sqrt((offset_m**2).sum(axis=-1) + road.rsu_xyz_m[2] ** 2)
        low, high = self.arrival_rate_hz
        rate_hz = low + (high - low) * draws.arrival
        if self.arrival_profile_hz:
            slots = np.minimum(np.arange(self.episode_slots + 1), len(self.arrival_profile_hz) - 1)
            rate_hz = np.broadcast_to(np.array(self.arrival_profile_hz)[slots][:, None], draws.arrival.shape)
        rate_hz = np.where(traffic.client_vehicle >= 0, rate_hz, 0.0)
        gain = self.channel.mean_gain(distance_m) * draws.fading_power
        check_gains(gain, self.channel.snr(gain), distance_m)
        return Exogenous(gain=gain, arrival_rate_hz=rate_hz)

    @cached_property
    def channel(self) -> InferenceChannel:
        """The radio channel between a device and the server."""
        return InferenceChannel(
            antenna_gain=self.antenna_gain,
            carrier_mhz=self.carrier_mhz,
            exponent=self.path_loss_exponent,
            transmit_power_w=self.transmit_power_w,
            noise_w=watt_from_dbm(self.noise_dbm_per_hz) * self.bandwidth_mhz * 1e6,
        )

    # Observations -------------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """The number of features of a device: 4, or 5 + the number of DNN types where extended."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch devices features"]:
        """Returns one row of features of order one for each device. `InferenceObservation` lists the features."""
        return self.features.of(state, exogenous)

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature."""
        return self.features.bounds

    @property
    def global_state_size(self) -> int:
        """The number of features of the global state: gain, arrival rate and two queues for each device."""
        return 4 * self.num_devices

    def global_state(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch features"]:
        """Returns gains, arrival rates, energy queues and memory queues of all devices, of order one.

        Gains are logarithmic, as in the observation.
        """
        first_four = self.features.of(state, exogenous)[..., :4]
        return first_four.swapaxes(-1, -2).reshape(*first_four.shape[:-2], -1)

    @cached_property
    def features(self) -> InferenceObservation:
        """The encoder of observations."""
        return InferenceObservation(
            kind=self.observation,
            device_types=self.device_types,
            num_types=len(self.profiles),
            whole_gcycles=self.cut_table.local_gcycles[np.arange(self.num_devices), self.num_layers],
            device_ghz=self.device_ghz,
            channel=self.channel,
        )

    # Decisions ----------------------------------------------------------------------------------------------------

    def initial_state(self, batch_shape: tuple[int, ...] = ()) -> State:
        """Returns empty virtual queues."""
        empty = np.zeros((*batch_shape, self.num_devices))
        return State(energy_queue=empty, memory_queue=empty.copy())

    def transition(
        self, state: State, action: Shaped[np.ndarray, "..."], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the next state and the outcome of a slot; a pure function.

        Raises:
            ValueError: the action has a wrong shape, type or range; a device cannot carry the load of its cut and
                `unstable="error"`; a gain is not above 0; or a rate is negative.
        """
        _check_exogenous(exogenous)
        cut, numbers = self._cut_actions.cuts(action)
        cut = self._stable(cut, state, exogenous)
        if numbers is None:
            allocation = self.allocate(state, cut, exogenous)
        else:
            allocation = self._learned_allocation(cut, numbers, exogenous)
        outcome = self.outcome_of(state, cut, allocation, exogenous)
        return self._dynamics.budgets.next_state(state, energy_j=outcome.energy_j, memory_gb=outcome.memory_gb), outcome

    def allocate(self, state: State, cut: Cuts, exogenous: Exogenous) -> Allocation:
        """Returns the resources that minimise the drift bound for these cuts: exact solutions of P3, P4 and P5."""
        return self._dynamics.allocate(state, cut, exogenous)

    def outcome_of(self, state: State, cut: Cuts, allocation: Allocation, exogenous: Exogenous) -> Outcome:
        """Returns the outcome of a slot with any cuts and resources."""
        return self._dynamics.outcome(state, cut, allocation, exogenous, objective=self.objective())

    @cached_property
    def _cut_actions(self) -> CutActions:
        return CutActions(num_layers=self.num_layers, learned=self.allocation == "learned")

    @cached_property
    def _dynamics(self) -> SlotDynamics:
        return SlotDynamics(
            cut_table=self.cut_table,
            channel=self.channel,
            budgets=Budgets(
                energy_j=np.array(self.energy_budget_j)[self.device_types],
                memory_gb=np.array(self.memory_budget_gb)[self.device_types],
                energy_queue_scale=self.energy_queue_scale,
                memory_queue_scale=self.memory_queue_scale,
            ),
            device_ghz=self.device_ghz,
            server_ghz=self.server_ghz,
            bandwidth_mhz=self.bandwidth_mhz,
            transmit_power_w=self.transmit_power_w,
            kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
            lyapunov_v=self.lyapunov_v,
        )

    def _learned_allocation(
        self, cut: Cuts, numbers: Float[np.ndarray, "*batch devices 3"], exogenous: Exogenous
    ) -> Allocation:
        local, server, sent, _ = self._dynamics.needs(cut, exogenous)
        return self._cut_actions.resources(
            numbers,
            local=local > 0.0,
            load_ghz=local * exogenous.arrival_rate_hz,
            at_server=server > 0.0,
            sends=sent > 0.0,
            device_ghz=self.device_ghz,
            server_ghz=self.server_ghz,
        )

    def _stable(self, cut: Cuts, state: State, exogenous: Exogenous) -> Cuts:
        """Returns the cuts, after the option `unstable` is applied to those whose load a device cannot carry."""
        local = self.cut_table.local_gcycles[np.arange(self.num_devices), cut]
        stable = local * exogenous.arrival_rate_hz < MOST_LOAD * self.device_ghz
        if stable.all():
            return cut
        if self.unstable == "clip":  # later cuts have more local work, so the legal cuts are the first ones
            return np.minimum(cut, self.action_mask(state, exogenous).sum(axis=-1) - 1)
        *environment, device = (int(index) for index in np.argwhere(~stable)[0])
        where = f" in environment {environment[-1]}" if local.size > self.num_devices else ""
        raise ValueError(
            f"cut {cut[~stable][0]} of device {device} is not stable{where}: its work times the arrival rate is not "
            f"below device_ghz={self.device_ghz:g}. Take a cut that problem.action_mask(state, exogenous) allows "
            "(parallel_env(padded=True) gives this mask to each agent), or set unstable='clip'"
        )

    def objective(self, chosen: str | Objective | None = None) -> Objective:
        """Returns the objective of this name, or a function unchanged; by default the problem's own objective.

        The reward is minus the problem's own objective.

        Raises:
            ValueError: the name is unknown; the message lists the known names.
        """
        chosen = self.reward if chosen is None else chosen
        if not isinstance(chosen, str):
            return chosen
        check_one_of(REWARDS, objective=chosen)
        return DriftPlusPenalty(name=chosen, lyapunov_v=self.lyapunov_v)

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns the infos of a slot by name, as `[*batch]` arrays; `metrics_of` lists them."""
        return metrics_of(
            next_state,
            outcome,
            delay_cost=self._dynamics.drift_bound.delay_cost(outcome.delay_s.sum(axis=-1)),
            dnn_names=tuple(profile.name for profile in self.profiles),
            device_types=self.device_types,
            energy_budget_j=self.energy_budget_j,
            memory_budget_gb=self.memory_budget_gb,
        )

    def scenery(self) -> Scenery:
        """Returns the nodes and the queues of all scenes."""
        return scenery_of(self)

    def scene(self, played: PlayedSlot) -> SceneFrame:
        """Returns the scene of a slot."""
        return scene_of(self, played)


def _check_exogenous(exogenous: Exogenous) -> None:
    if not (exogenous.gain > 0.0).all():
        raise ValueError(f"gain must be above 0, got {exogenous.gain.min()}; without gain nothing can be sent")
    if not (exogenous.arrival_rate_hz >= 0.0).all():
        raise ValueError(f"arrival_rate_hz must be at least 0, got {exogenous.arrival_rate_hz.min()}")
