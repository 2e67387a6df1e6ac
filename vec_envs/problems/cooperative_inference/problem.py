"""VEC-CooperativeInference: devices cut their DNNs and share an edge server, within long-term budgets.

Tasks of a device come as a Poisson stream. It runs the layers before the cut itself, one task after the other, and
sends what is left to the server. In every slot the cuts are decided, and then three resources: each device's speed, the
parts of the server, the parts of the bandwidth. With the cuts given these are convex problems of their own, which
`step` solves exactly. What energy and memory exceed their budgets waits in virtual queues; the reward is minus
queues x use plus V times the delays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.dnn.profile import DNNProfile, as_profiles
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.physics import energy, lyapunov, offloading
from vec_envs.physics.inference import sojourn_s
from vec_envs.physics.inference_allocation import (
    bandwidth_share,
    device_speed_ghz,
    server_speed_ghz,
    spectral_efficiency,
)
from vec_envs.problems.base import ContinuousActions, DiscreteActions, Metric
from vec_envs.problems.cooperative_inference.actions import CutActions
from vec_envs.problems.cooperative_inference.budgets import Budgets, drift
from vec_envs.problems.cooperative_inference.channel import InferenceChannel
from vec_envs.problems.cooperative_inference.cuts import CutTable, cut_table
from vec_envs.problems.cooperative_inference.observation import OBSERVATIONS, InferenceObservation
from vec_envs.problems.cooperative_inference.records import (
    Allocation,
    Cuts,
    Draws,
    Exogenous,
    Outcome,
    PerDevice,
    State,
)
from vec_envs.units import watt_from_dbm
from vec_envs.validation import a_list, count, decibels, one_of, positive, positive_range

__all__ = ["Allocation", "CooperativeInference", "Draws", "Exogenous", "Outcome", "State"]

REWARDS = ("drift_bound", "drift", "delay")
ALLOCATIONS = ("exact", "learned")
UNSTABLE = ("error", "clip")
_POSITIVE = (
    "lyapunov_v",
    "slot_s",
    "device_ghz",
    "server_ghz",
    "cycles_per_mac",
    "kappa_j_per_gcycle_ghz2",
    "bandwidth_mhz",
    "transmit_power_w",
    "device_memory_factor",
    "server_memory_factor",
    "energy_queue_scale",
    "memory_queue_scale",
    "antenna_gain",
    "carrier_mhz",
    "path_loss_exponent",
)


@dataclass(frozen=True, kw_only=True)
class CooperativeInference:
    """The problem of the paper, with its numbers as defaults.

    Paper: LyMDO Eq. (7).
    Differs: cut 0, everything at the server, is a choice too, as in the baseline Edge.
    """

    dnns: tuple[DNNProfile | str, ...] = ("alexnet", "resnet18")
    """The DNN types: names of the library, or from Python also profiles. Section V.A."""
    dnn_of_device: tuple[int, ...] = (0, 0, 1, 1, 1)
    """Index into `dnns` for each device; as many as there are devices. Section V.A."""
    energy_budget_j: tuple[float, ...] = (0.040, 0.060)
    """What a device may spend in a second in the long run, by DNN type. Table I."""
    memory_budget_gb: tuple[float, ...] = (0.100, 0.030)
    """What a device's tasks may occupy in the long run, here and at the server together, by DNN type. Table I."""
    lyapunov_v: float = 10.0
    """Weight of delay against the virtual queues. Table I."""
    slot_s: float = 1.0
    """How far traffic moves on in a slot; energies are those of a second of it, whatever its length."""
    episode_slots: int = 200
    """Slots of an episode. Section V.A."""
    arrival_rate_hz: tuple[float, float] = (0.5, 2.5)
    """Range of the uniform draw, per device and slot; a constant where both are equal. Table I."""
    arrival_profile_hz: tuple[float, ...] = ()
    """Rates of all devices slot by slot instead of draws, the last one kept; empty for draws."""
    device_ghz: float = 1.5
    """The fastest a device can run. Table I."""
    server_ghz: float = 15.0
    """Speed of the edge server's processor, shared between the devices. Table I."""
    cycles_per_mac: float = 0.12
    """Cycles of a multiply-accumulate. Table I."""
    kappa_j_per_gcycle_ghz2: float = 0.1
    """Energy of computing: this times work times speed squared. Table I: 1e-28 in J/(cycle Hz^2)."""
    bandwidth_mhz: float = 5.0
    """Shared between the devices. Section V.A."""
    noise_dbm_per_hz: float = -174.0
    """Density of the noise. Section V.A, which lacks the sign."""
    transmit_power_w: float = 0.1
    """What a device sends with. Table I."""
    device_memory_factor: float = 0.2
    """What a byte of parameters costs at the device. Table I."""
    server_memory_factor: float = 0.8
    """What a byte of parameters costs at the server. Table I."""
    energy_queue_scale: float = 100.0
    """nu_e, in 1/J: what a joule above the budget adds to the energy queue. Table I."""
    memory_queue_scale: float = 10.0
    """nu_c, in 1/GB: what a gigabyte above the budget adds to the memory queue. Table I."""
    antenna_gain: float = 3.0
    """A_d of the free-space path loss. Section V.A."""
    carrier_mhz: float = 915.0
    """Carrier frequency. Section V.A."""
    path_loss_exponent: float = 3.0
    """With distance. Section V.A."""
    allocation: str = "exact"
    """`"exact"`: the three convex problems are solved; `"learned"`: the action also gives the resources."""
    unstable: str = "error"
    """What a cut is whose load the device cannot carry: an `"error"`, or taken as the nearest below (`"clip"`)."""
    reward: str = "drift_bound"
    """`"drift_bound"` (Eq. 14), `"drift"` (minus Eq. 10, the virtual queues' exact drift) or `"delay"`."""
    observation: str = "paper"
    """`"paper"` (Section IV.B: gain, rate, queues) or `"extended"` (also DNN type and whether it may be all local)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dnns", as_profiles(self.dnns, workload="mad2rl"))
        for name in ("dnn_of_device", "energy_budget_j", "memory_budget_gb", "arrival_rate_hz", "arrival_profile_hz"):
            a_list(**{name: getattr(self, name)})
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _check_devices(self)
        for name in _POSITIVE:
            positive(**{name: getattr(self, name)})
        decibels(noise_dbm_per_hz=self.noise_dbm_per_hz)
        count(1, episode_slots=self.episode_slots)
        object.__setattr__(self, "episode_slots", int(self.episode_slots))
        positive_range(arrival_rate_hz=self.arrival_rate_hz)
        for n, rate in enumerate(self.arrival_profile_hz):
            positive(**{f"arrival_profile_hz[{n}]": rate})
        one_of(ALLOCATIONS, allocation=self.allocation)
        one_of(UNSTABLE, unstable=self.unstable)
        one_of(REWARDS, reward=self.reward)
        one_of(OBSERVATIONS, observation=self.observation)

    # Who decides what ---------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> tuple[DNNProfile, ...]:
        """The DNN types as profiles."""
        return cast(tuple[DNNProfile, ...], self.dnns)

    @property
    def num_devices(self) -> int:
        """N."""
        return len(self.dnn_of_device)

    @cached_property
    def device_types(self) -> Int[np.ndarray, "devices"]:
        """Index of each device's DNN type."""
        return np.array(self.dnn_of_device, dtype=np.int64)

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "devices"]:
        """Number of layers L of each device's DNN."""
        return np.array([profile.num_layers for profile in self.profiles])[self.device_types]

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """`device_0`, `device_1`, ..."""
        return tuple(f"device_{n}" for n in range(self.num_devices))

    @property
    def one_at_a_time(self) -> bool:
        """All devices decide at every point: an episode's points are its slots."""
        return False

    @property
    def episode_epochs(self) -> int:
        """The slots of an episode."""
        return self.episode_slots

    @property
    def action_counts(self) -> tuple[int, ...]:
        """Number of cuts L + 1 of each device."""
        return tuple(int(n) + 1 for n in self.num_layers)

    @property
    def actions(self) -> DiscreteActions | ContinuousActions:
        """A cut for each device; where resources are learned 4 numbers: cut, speed, parts of server and bandwidth."""
        return DiscreteActions(counts=self.action_counts) if self.allocation == "exact" else ContinuousActions(size=4)

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """Mean delay of a task, by which policies are ranked, and what the budgets bound."""
        return (
            Metric(name="delay_s", unit="s"),
            Metric(name="energy_j", unit="J"),
            Metric(name="memory_gb", unit="GB"),
            Metric(name="energy_queue", unit="", final=True),
            Metric(name="memory_queue", unit="", final=True),
        )

    def action_mask(self, state: State, exogenous: Exogenous) -> Bool[np.ndarray, "*batch devices cuts"]:
        """Returns which cuts each device has whose load it can carry at its fastest (C7); cut 0 always."""
        return self._carried(exogenous.arrival_rate_hz)

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch devices features"]
    ) -> Bool[np.ndarray, "*batch devices cuts"]:
        """Returns the same, as far as the devices' own observations tell: to seven digits of the rate."""
        return self._carried(self.features.rates_of(observation))

    def _carried(
        self, rate_hz: PerDevice | Float32[np.ndarray, "*batch devices"]
    ) -> Bool[np.ndarray, "*batch devices cuts"]:
        load = self.cut_table.local_gcycles * rate_hz[..., None]
        return self._has_cut & np.less(load, self.device_ghz)

    @cached_property
    def _has_cut(self) -> Bool[np.ndarray, "devices cuts"]:
        return np.arange(max(self.action_counts)) < np.array(self.action_counts)[:, None]

    @cached_property
    def cut_table(self) -> CutTable:
        """What each cut means, so that a transition looks it up."""
        return cut_table(
            self.profiles,
            self.device_types,
            cycles_per_mac=self.cycles_per_mac,
            device_memory_factor=self.device_memory_factor,
            server_memory_factor=self.server_memory_factor,
        )

    # What exogenous decides ------------------------------------------------------------------------------------------

    @property
    def traffic_shape(self) -> EpisodeShape:
        """Where the devices are, for a slot more than there are decisions; on a road they are seats.

        No vehicle stays in range for an episode's 200 s: where one leaves, another takes its place.
        """
        return EpisodeShape(
            num_client_vehicles=self.num_devices,
            num_service_vehicles=0,
            num_slots=self.episode_slots + 1,
            slot_s=self.slot_s,
            come_and_go=True,
        )

    def draw(self, rng: np.random.Generator, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns exogenous's part of an episode, one lane a slot: draws with `rng`, then `exogenous`."""
        return self.exogenous(self.sample(rng), traffic, road)

    def sample(self, rng: np.random.Generator) -> Draws:
        """Returns the raw draws of one episode."""
        shape = self.episode_slots + 1, self.num_devices
        return Draws(fading_power=rng.standard_exponential(shape), arrival=rng.random(shape))

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        """Returns gains and rates of episodes, `[*lanes, slots, devices]`; a seat without a vehicle has no arrivals."""
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        distance_m = np.sqrt((offset_m**2).sum(axis=-1) + road.rsu_xyz_m[2] ** 2)
        low, high = self.arrival_rate_hz
        rate_hz = low + (high - low) * draws.arrival
        if self.arrival_profile_hz:
            slots = np.minimum(np.arange(self.episode_slots + 1), len(self.arrival_profile_hz) - 1)
            rate_hz = np.broadcast_to(np.array(self.arrival_profile_hz)[slots][:, None], draws.arrival.shape)
        rate_hz = np.where(traffic.client_vehicle >= 0, rate_hz, 0.0)
        return Exogenous(gain=self.channel.mean_gain(distance_m) * draws.fading_power, arrival_rate_hz=rate_hz)

    @cached_property
    def channel(self) -> InferenceChannel:
        """How a device hears the server."""
        return InferenceChannel(
            antenna_gain=self.antenna_gain,
            carrier_mhz=self.carrier_mhz,
            exponent=self.path_loss_exponent,
            transmit_power_w=self.transmit_power_w,
            noise_w=watt_from_dbm(self.noise_dbm_per_hz) * self.bandwidth_mhz * 1e6,
        )

    # What the agents see ------------------------------------------------------------------------------------------

    @property
    def observation_size(self) -> int:
        """Number of features a device observes: 4, and the number of types and 1 more where extended."""
        return self.features.size

    def observe(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch devices features"]:
        """Returns every device's own state, scaled to order one; `InferenceObservation` says what stands where."""
        return self.features.of(state, exogenous)

    @cached_property
    def features(self) -> InferenceObservation:
        """What stands where in an observation."""
        return InferenceObservation(
            kind=self.observation,
            device_types=self.device_types,
            num_types=len(self.profiles),
            whole_gcycles=self.cut_table.local_gcycles[np.arange(self.num_devices), self.num_layers],
            device_ghz=self.device_ghz,
            channel=self.channel,
        )

    # What a decision does -----------------------------------------------------------------------------------------

    def initial_state(self, lanes: tuple[int, ...] = ()) -> State:
        """Returns empty queues."""
        empty = np.zeros((*lanes, self.num_devices))
        return State(energy_queue=empty, memory_queue=empty.copy())

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch devices ..."], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the next state and what the slot brought; a pure function.

        Raises `ValueError` for an action of wrong shape, type or range, a cut that cannot be stable where those are
        errors, a gain not above 0, and a negative rate.
        """
        _check_exogenous(exogenous)
        cut, numbers = self._read.cuts(action)
        cut = self._stable(cut, state, exogenous)
        allocation = self.allocate(state, cut, exogenous) if numbers is None else self._given(cut, numbers, exogenous)
        outcome = self.outcome_of(state, cut, allocation, exogenous)
        return self._budgets.after(state, energy_j=outcome.energy_j, memory_gb=outcome.memory_gb), outcome

    def allocate(self, state: State, cut: Cuts, exogenous: Exogenous) -> Allocation:
        """Returns the resources that are best for these cuts: P3, P4 and P5, solved exactly."""
        local, server, sent, _ = self._needed(cut, exogenous)
        weight = state.energy_queue * self.transmit_power_w * exogenous.arrival_rate_hz + self.lyapunov_v
        return Allocation(
            device_ghz=device_speed_ghz(
                local,
                exogenous.arrival_rate_hz,
                state.energy_queue,
                lyapunov_v=self.lyapunov_v,
                kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
                max_ghz=self.device_ghz,
            ),
            server_ghz=server_speed_ghz(server, max_ghz=self.server_ghz),
            bandwidth_share=bandwidth_share(weight, sent, self.channel.snr(exogenous.gain)),
        )

    def _needed(self, cut: Cuts, exogenous: Exogenous) -> tuple[PerDevice, PerDevice, PerDevice, PerDevice]:
        """Returns Gcycles of device and server, Mbit sent and GB; 0 where no tasks arrive, as in an empty seat."""
        arrives = exogenous.arrival_rate_hz > 0.0
        local, server, sent, memory = (needed * arrives for needed in self.cut_table.of(cut))
        return local, server, sent, memory

    @cached_property
    def _read(self) -> CutActions:
        return CutActions(num_layers=self.num_layers, learned=self.allocation == "learned")

    def _given(self, cut: Cuts, numbers: Float[np.ndarray, "*batch devices 3"], exogenous: Exogenous) -> Allocation:
        local, server, sent, _ = self._needed(cut, exogenous)
        return self._read.resources(
            numbers,
            local=local > 0.0,
            load_ghz=local * exogenous.arrival_rate_hz,
            at_server=server > 0.0,
            sends=sent > 0.0,
            device_ghz=self.device_ghz,
            server_ghz=self.server_ghz,
        )

    def _stable(self, cut: Cuts, state: State, exogenous: Exogenous) -> Cuts:
        """Returns the cuts, those that cannot be stable refused, or taken as the largest below that can be."""
        local = self.cut_table.local_gcycles[np.arange(self.num_devices), cut]
        stable = local * exogenous.arrival_rate_hz < self.device_ghz
        if stable.all():
            return cut
        if self.unstable == "clip":  # a longer part is more work: the stable cuts come first
            return np.minimum(cut, self.action_mask(state, exogenous).sum(axis=-1) - 1)
        *lane, device = (int(at) for at in np.argwhere(~stable)[0])
        where = f" in lane {lane[-1]}" if local.size > self.num_devices else ""
        raise ValueError(
            f"cut {cut[~stable][0]} of device {device} is not stable{where}: its work times the arrival rate is not "
            f"below device_ghz={self.device_ghz:g}; take a cut that problem.action_mask(state, exogenous) allows "
            "(parallel_env(padded=True) shows them as masks), or unstable='clip'"
        )

    def outcome_of(self, state: State, cut: Cuts, allocation: Allocation, exogenous: Exogenous) -> Outcome:
        """Returns what a slot brings with these cuts and resources, whatever these are.

        Paper: LyMDO Eqs. (1), (3), (4), (5).
        """
        local, server, sent, memory = self._needed(cut, exogenous)
        rate_hz = exogenous.arrival_rate_hz
        rate_mbps = self.bandwidth_mhz * spectral_efficiency(
            allocation.bandwidth_share, self.channel.snr(exogenous.gain)
        )
        local_s = sojourn_s(local, allocation.device_ghz, rate_hz)
        transmit_s = offloading.transmit_s(sent, rate_mbps)
        server_s = np.divide(server, allocation.server_ghz, out=np.zeros(server.shape), where=server > 0.0)
        computing_j = energy.compute_energy_j(
            local * rate_hz, allocation.device_ghz, kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2
        )
        sending_j = energy.transmit_energy_j(transmit_s * rate_hz, transmit_power_w=self.transmit_power_w)
        parts: dict[str, Any] = {
            "delay_s": local_s + transmit_s + server_s,
            "energy_j": computing_j + sending_j,
            "memory_gb": memory,
        }
        grown = drift(state, self._budgets.after(state, energy_j=parts["energy_j"], memory_gb=parts["memory_gb"]))
        return Outcome(
            cut=cut,
            local_s=local_s,
            transmit_s=transmit_s,
            server_s=server_s,
            device_ghz=allocation.device_ghz,
            server_ghz=allocation.server_ghz,
            bandwidth_share=allocation.bandwidth_share,
            drift=grown,
            reward=self._reward(state, grown, **parts),
            has_tasks=np.broadcast_to(rate_hz > 0.0, local.shape),
            **parts,
        )

    def _reward(
        self,
        state: State,
        grown: lyapunov.PerEnvironment,
        *,
        delay_s: PerDevice,
        energy_j: PerDevice,
        memory_gb: PerDevice,
    ) -> lyapunov.PerEnvironment:
        """Returns minus what is to be small.

        Paper: LyMDO Eqs. (10), (11), (14).
        """
        delay = self.lyapunov_v * np.add.reduce(delay_s, axis=-1)
        if self.reward == "delay":
            return -delay
        if self.reward == "drift":
            return -(grown + delay)
        return -(np.add.reduce(state.energy_queue * energy_j + state.memory_queue * memory_gb, axis=-1) + delay)

    @cached_property
    def _budgets(self) -> Budgets:
        return Budgets(
            energy_j=np.array(self.energy_budget_j)[self.device_types],
            memory_gb=np.array(self.memory_budget_gb)[self.device_types],
            energy_queue_scale=self.energy_queue_scale,
            memory_queue_scale=self.memory_queue_scale,
        )

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        """Returns what is reported of a slot, means over devices: `[*lanes]` arrays under the names of the infos.

        Delay, energy and memory are means over the devices that have tasks: all but empty seats, which would seem fast.
        """
        with_tasks = np.maximum(np.add.reduce(outcome.has_tasks, axis=-1), 1)
        means = {
            name: np.add.reduce(getattr(outcome, name), axis=-1) / with_tasks
            for name in ("delay_s", "energy_j", "memory_gb")
        }
        delay = self.lyapunov_v * outcome.delay_s.sum(axis=-1)
        by_dnn: dict[str, Any] = {}
        for k in sorted(set(self.dnn_of_device)):
            profile, own = self.profiles[k], self.device_types == k
            by_dnn[f"energy_to_budget_{profile.name}"] = (
                outcome.energy_j[..., own].mean(axis=-1) / self.energy_budget_j[k]
            )
            by_dnn[f"memory_to_budget_{profile.name}"] = (
                outcome.memory_gb[..., own].mean(axis=-1) / self.memory_budget_gb[k]
            )
            by_dnn[f"energy_queue_{profile.name}"] = next_state.energy_queue[..., own].mean(axis=-1)
        return {
            **means,
            "energy_queue": next_state.energy_queue.mean(axis=-1),
            "memory_queue": next_state.memory_queue.mean(axis=-1),
            "drift": outcome.drift,
            "drift_plus_penalty": outcome.drift + delay,
            **by_dnn,
        }


def _check_devices(problem: CooperativeInference) -> None:
    types = len(problem.dnns)
    if not problem.dnn_of_device:
        raise ValueError("dnn_of_device is empty; at least one device is needed")
    for n, kind in enumerate(problem.dnn_of_device):
        count(0, **{f"dnn_of_device[{n}]": kind})
        if kind >= types:
            raise ValueError(f"dnn_of_device[{n}]={kind!r} must be an index of dnns, from 0 to {types - 1}")
    for name in ("energy_budget_j", "memory_budget_gb"):
        budgets = getattr(problem, name)
        if len(budgets) != types:
            raise ValueError(f"{name} has {len(budgets)} numbers; it needs one for each of {types} DNN types")
        for k, budget in enumerate(budgets):
            positive(**{f"{name}[{k}]": budget})


def _check_exogenous(exogenous: Exogenous) -> None:
    if not (exogenous.gain > 0.0).all():
        raise ValueError(f"gain={exogenous.gain.min()} must be above 0: nothing could be sent")
    if not (exogenous.arrival_rate_hz >= 0.0).all():
        raise ValueError(f"arrival_rate_hz={exogenous.arrival_rate_hz.min()} must be at least 0")
