"""The costs of every start of `MobileInference` that a client can compute from its own observation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from vec_envs.problems.mobile_inference.actions import WAIT, StartActions
from vec_envs.problems.mobile_inference.ahead import KNOTS_M, MeanEfficiency, expected_efficiency
from vec_envs.problems.mobile_inference.observation import (
    CLIENT_SCALE_GHZ,
    COUNT_SCALE,
    DATA_SCALE_MBIT,
    DISTANCE_SCALE_M,
    EDGE_SCALE_GCYCLES,
    EFFICIENCY_SCALE,
    ENERGY_SCALE_J,
    LOCAL_SCALE_GCYCLES,
    SERVICE_SCALE_GHZ,
    SPEED_SCALE_MPS,
)

KINDS = ("local_s", "send_s", "forward_s", "edge_s", "drift_s")
LEAST_EFFICIENCY = 0.01
"""A lower bound of efficiencies in bit/s/Hz, so that a node out of reach costs much, but not infinitely much."""
LEAST_GHZ = 1e-3
NEVER_S = 1e6
"""A time that no legal start takes."""

INPUTS_OF_NODE = ("tasks", "work", "ahead", "efficiency", "efficiency_before")
"""Features that an observation has for units and for service vehicles."""
INPUTS = (
    *INPUTS_OF_NODE,
    "service_speed",
    "service_processor",
    "is_service",
    "access_efficiency",
    "access_ahead",
    "access_senders",
    "local_work",
    "edge_work",
    "data",
    "sends",
)
"""The inputs of a start beside its costs. Inputs of a node are 0 for a start that sends nothing, and inputs of the
access unit also for a start at a service vehicle."""

NUMBERS = (
    "cell_mhz",
    "vehicle_mhz",
    "rsu_ghz",
    "hop_s",
    "backhaul_mbps",
    "kappa_j_per_gcycle_ghz2",
    "transmit_power_w",
    "per_v",
    "slot_s",
)
"""The numbers that costs depend on; `per_v` is 1 / V, or 0 for costs without the drift."""

Array: TypeAlias = Any
"""A numpy array, or a tensor by which a learner has replaced it."""


@dataclass(frozen=True, kw_only=True)
class StartCosts:
    """Four times and a drift of every start, in s, with present loads and the links of the next seconds.

    The times are those whose sum the reference `predicted` minimises: of local work, sending, forwarding, and the work
    at the node. A client expects links from its observation (`ahead.py`). Loads are the present senders and tasks, plus
    one. The drift is the energy of the task times the client's energy queue, divided by V.

    Starts that repeat another one cost `NEVER_S`. Action 0 costs a slot of waiting, and then the start of least time.
    Every action costs nothing while no task waits.

    All clients have the same actions. The axes of arrays end with `[types, actions]` or `[nodes, actions]`.
    """

    local_gcycles: Array
    edge_gcycles: Array
    task_mbit: Array
    waits: Array
    """1 for action 0, else 0."""
    repeats: Array
    """1 for starts of a DNN that are never legal, because another one means the same: all layers run at the client."""
    numbers_of_actions: Array
    """The numbers of the actions: 0, 1, ..."""
    unit_of: Array
    """1 where the node of the action is this unit, `[units, actions]`."""
    service_of: Array
    """1 where the node of the action is this service vehicle, `[services, actions]`."""
    hops: Array
    """The number of hops from each unit to that of the action; 0 for service vehicles, `[units, actions]`."""
    units: Array
    """The numbers of the units: 0, 1, ..."""
    dnn: Array
    """The columns of the observation that hold the type of the waiting task; likewise the fields below."""
    processor: Array
    energy_queue: Array
    speed: Array
    unit_efficiency: Array
    unit_ahead: Array
    unit_senders: Array
    unit_tasks: Array
    unit_work: Array
    unit_efficiency_before: Array
    service_efficiency: Array
    service_ahead: Array
    service_speed: Array
    service_tasks: Array
    service_work: Array
    service_efficiency_before: Array
    service_processor: Array
    knots_m: Array
    unit_mean: Array
    """The mean efficiency of links to units at the first knot, and its bends at all knots."""
    service_mean: Array
    """Likewise for links to service vehicles."""
    numbers: Array
    """The values of `NUMBERS`, in this order."""

    @property
    def num_kinds(self) -> int:
        """The number of kinds of cost: four times and a drift."""
        return len(KINDS)

    def of(self, observation: Array) -> Array:
        """Returns a list of costs in s, `[clients, batch, actions]` for each kind.

        `observation` has the axes [clients, batch, features].
        """
        cell_mhz, vehicle_mhz, rsu_ghz, hop_s, backhaul_mbps, kappa, transmit_w, per_v, slot_s = self.numbers
        dnn = observation[..., self.dnn]
        local, edge, mbit = dnn @ self.local_gcycles, dnn @ self.edge_gcycles, dnn @ self.task_mbit
        efficiency = observation[..., self.unit_efficiency]
        access = 1.0 * (efficiency.argmax(-1)[..., None] == self.units)
        to_unit, to_service = self._expected(observation)
        senders = (access * observation[..., self.unit_senders]).sum(-1)[..., None]
        to_units = (COUNT_SCALE * senders + 1.0) / (cell_mhz * to_unit.clip(min=LEAST_EFFICIENCY))
        vehicle_tasks = COUNT_SCALE * observation[..., self.service_tasks] + 1.0
        to_vehicles = vehicle_tasks / (vehicle_mhz * to_service.clip(min=LEAST_EFFICIENCY))
        s_per_mbit = to_units * self.unit_of.sum(0) + to_vehicles @ self.service_of
        unit_tasks = COUNT_SCALE * observation[..., self.unit_tasks] + 1.0
        vehicle_ghz = (SERVICE_SCALE_GHZ * observation[..., self.service_processor]).clip(min=LEAST_GHZ)
        s_per_gcycle = (unit_tasks / rsu_ghz) @ self.unit_of + (vehicle_tasks / vehicle_ghz) @ self.service_of
        hops = access @ self.hops
        client_ghz = (CLIENT_SCALE_GHZ * observation[..., self.processor]).clip(min=LEAST_GHZ)
        send_s = mbit * s_per_mbit
        energy_j = kappa * client_ghz**2 * local + transmit_w * send_s
        drift_s = ENERGY_SCALE_J * observation[..., self.energy_queue] * energy_j * per_v
        sends = 1.0 * (mbit > 0.0)
        forward_s = hops * (hop_s * sends + mbit / backhaul_mbps)
        starts = [local / client_ghz + NEVER_S * (dnn @ self.repeats), send_s, forward_s, edge * s_per_gcycle, drift_s]
        best = sum(starts[:-1]) + self.waits * NEVER_S
        is_best = 1.0 * (best.argmin(-1)[..., None] == self.numbers_of_actions)
        kinds = [kind + self.waits * (kind * is_best).sum(-1)[..., None] for kind in starts]
        return [kinds[0] + slot_s * dnn.sum(-1)[..., None] * self.waits, *kinds[1:]]

    @property
    def num_inputs(self) -> int:
        """The number of inputs of a start beside its costs."""
        return len(INPUTS)

    def inputs_of(self, observation: Array) -> Array:
        """Returns a list of the `INPUTS` of every start, `[clients, batch, actions]` each, in the observation's scales.

        `observation` has the axes [clients, batch, features].
        """
        dnn, is_unit, is_service = observation[..., self.dnn], self.unit_of.sum(0), self.service_of.sum(0)
        mbit = dnn @ self.task_mbit
        sends = 1.0 * (mbit > 0.0)
        efficiency = observation[..., self.unit_efficiency]
        access = 1.0 * (efficiency.argmax(-1)[..., None] == self.units)
        of_access = [efficiency, observation[..., self.unit_ahead], observation[..., self.unit_senders]]
        of_service = [observation[..., self.service_speed], observation[..., self.service_processor]]
        return [
            *(sends * self._of_node(observation, name) for name in INPUTS_OF_NODE),
            *(sends * (feature @ self.service_of) for feature in of_service),
            sends * is_service,
            *(sends * is_unit * (access * feature).sum(-1)[..., None] for feature in of_access),
            dnn @ self.local_gcycles / LOCAL_SCALE_GCYCLES,
            dnn @ self.edge_gcycles / EDGE_SCALE_GCYCLES,
            mbit / DATA_SCALE_MBIT,
            sends,
        ]

    def _of_node(self, observation: Array, name: str) -> Array:
        """Returns a feature of the node of every start."""
        units, services = (observation[..., getattr(self, f"{node}_{name}")] for node in ("unit", "service"))
        return units @ self.unit_of + services @ self.service_of

    def _expected(self, observation: Array) -> tuple[Array, Array]:
        """Returns the mean of the expected efficiencies of the next seconds: to the best unit, and to vehicles."""
        own_mps = SPEED_SCALE_MPS * observation[..., self.speed]
        faster_mps = SPEED_SCALE_MPS * observation[..., self.service_speed]
        units = expected_efficiency(
            MeanEfficiency(first=self.unit_mean[0], knots_m=self.knots_m, bends=self.unit_mean[1:]),
            EFFICIENCY_SCALE * observation[..., self.unit_efficiency],
            DISTANCE_SCALE_M * observation[..., self.unit_ahead],
            -own_mps,
            own_mps,
        )
        services = expected_efficiency(
            MeanEfficiency(first=self.service_mean[0], knots_m=self.knots_m, bends=self.service_mean[1:]),
            EFFICIENCY_SCALE * observation[..., self.service_efficiency],
            DISTANCE_SCALE_M * observation[..., self.service_ahead],
            faster_mps,
            own_mps + abs(own_mps + faster_mps),
        )
        best = [(of * (of.argmax(-1)[..., None] == self.units)).sum(-1)[..., None] for of in units]
        return sum(best) / len(best), sum(services) / len(services)


def start_costs(
    starts: StartActions,
    columns: Mapping[str, slice],
    mean: Callable[[np.ndarray, str], np.ndarray],
    *,
    num_rsus: int,
    **numbers: float,
) -> StartCosts:
    """Returns the known costs for clients whose observations have these columns.

    `mean` gives mean efficiencies by distance and kind of link. `numbers` has a value for each of `NUMBERS`.
    """
    cut, node = np.divmod(np.arange(starts.count - 1), starts.num_nodes)
    last = np.minimum(cut, starts.num_layers[:, None])
    rows, nodes = np.arange(len(starts.num_layers))[:, None], np.arange(starts.num_nodes)
    units = np.arange(num_rsus)
    tables = {name: getattr(starts, name)[rows, last] for name in ("local_gcycles", "edge_gcycles", "task_mbit")}
    is_node = nodes[:, None] == node
    hops = np.where(node < num_rsus, np.abs(units[:, None] - node), 0)
    of_actions = {"unit_of": is_node[:num_rsus], "service_of": is_node[num_rsus:], "hops": hops}
    names = ("dnn", "processor", "energy_queue", "speed", "unit_senders", "service_speed", "service_processor")
    names += tuple(f"{node}_{name}" for node in ("unit", "service") for name in INPUTS_OF_NODE)
    return StartCosts(
        **{name: _with_wait(table) for name, table in (of_actions | tables).items()},
        waits=(np.arange(starts.count) == WAIT).astype(np.float32),
        repeats=_with_wait(starts.repeats),
        numbers_of_actions=np.arange(starts.count),
        **{name: np.arange(columns[name].start, columns[name].stop) for name in names},
        units=units,
        knots_m=np.array(KNOTS_M, np.float32),
        unit_mean=MeanEfficiency.numbers(mean, "v2i").astype(np.float32),
        service_mean=MeanEfficiency.numbers(mean, "v2v").astype(np.float32),
        numbers=np.array([numbers[name] for name in NUMBERS], np.float32),
    )


def _with_wait(table: np.ndarray) -> np.ndarray:
    """Returns values of actions with those of action 0, which are 0, before those of the starts."""
    return np.pad(table.astype(np.float32), ((0, 0), (1, 0)))
