"""Recordings of an episode, slot by slot: positions of vehicles, transmissions and queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np

from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import Problem, View
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, State
from vec_envs.records import map_arrays

STRIP_M = 3.5
STRIPS = 4
"""The number of parallel strips on which vehicles are drawn, so that few overlap.

A vehicle's index selects its strip, which has no other meaning.
"""
RSU_Y_M = -7.0


@dataclass(frozen=True, kw_only=True)
class Node:
    """A vehicle or roadside unit of a recording. Each has one queue."""

    name: str
    kind: Literal["client", "service", "rsu"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A slot of a recorded episode. The arrays are in the order of the recording's nodes."""

    x_m: tuple[float, ...]
    y_m: tuple[float, ...]
    waits: tuple[float, ...]
    """The length of each node's queue, in the recording's unit."""
    links: tuple[tuple[int, int, str], ...]
    """Index of the sending node, index of the receiving node, and a description such as "vgg16 from layer 5"."""
    caption: str


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An episode for the player of the leaderboard's page."""

    case: str
    policy: str
    slot_s: float
    unit: str
    """The unit of the queues."""
    nodes: tuple[Node, ...]
    frames: tuple[Frame, ...]


def can_record(problem: Problem) -> bool:
    """Returns whether episodes of a problem can be recorded."""
    return isinstance(problem, DNNPartition)


class Recorder:
    """Records the first environment of a batch of `VEC-DNNPartition-v0`, slot by slot."""

    def __init__(self, env: BatchVectorEnv) -> None:
        """Raises `ValueError` for another kind of environment."""
        if not isinstance(env.problem, DNNPartition):
            raise ValueError(f"episodes of {type(env.problem).__name__} cannot be recorded")
        self._problem = env.problem
        self._frames: list[Frame] = []

    def add(self, view: View, action: np.ndarray) -> None:
        """Adds a slot with its actions."""
        state, exogenous = (map_arrays(lambda a: a[:1], record) for record in (view.state, view.exogenous))
        _, outcome = self._problem.transition(state, action[:1], exogenous)
        x, y = _places(exogenous)
        took_s, waits = float(cast(Any, outcome).delay_s.sum()), _waits(state)
        self._frames.append(
            Frame(
                x_m=x,
                y_m=y,
                waits=waits,
                links=self._links(self._problem.as_played(action[:1], exogenous)[0]),
                caption=f"{sum(waits):.1f} Gcycles wait; this slot's tasks take {took_s:.2f} s in all",
            )
        )

    def _links(self, action: np.ndarray) -> tuple[tuple[int, int, str], ...]:
        problem, links = self._problem, list[tuple[int, int, str]]()
        for client, (cut, node) in enumerate(divmod(int(a), problem.num_nodes) for a in action):
            profile = problem.profiles[problem.client_types[client]]
            if cut < profile.num_layers:
                to = problem.num_client_vehicles + (node - 1 if node else problem.num_service_vehicles)
                links.append((client, to, f"{profile.name} from {profile.layers[cut].name}"))
        return tuple(links)

    def written(self) -> dict[str, Any]:
        """Returns the recording as JSON has it, without the names of case and policy."""
        problem = self._problem
        clients = [Node(name=f"c{i}", kind="client") for i in range(problem.num_client_vehicles)]
        services = [Node(name=f"s{j}", kind="service") for j in range(problem.num_service_vehicles)]
        recording = Recording(
            case="",
            policy="",
            slot_s=problem.slot_s,
            unit="Gcycles",
            nodes=(*clients, *services, Node(name="RSU", kind="rsu")),
            frames=tuple(self._frames),
        )
        return asdict(recording)


def read(content: Mapping[str, Any], *, case: str, policy: str) -> Recording:
    """Returns a recording from the JSON of `written`, with the names of its case and policy."""
    frames = (
        Frame(
            x_m=tuple(of["x_m"]),
            y_m=tuple(of["y_m"]),
            waits=tuple(of["waits"]),
            links=tuple((int(start), int(end), str(what)) for start, end, what in of["links"]),
            caption=of["caption"],
        )
        for of in content["frames"]
    )
    return Recording(
        case=case,
        policy=policy,
        slot_s=content["slot_s"],
        unit=content["unit"],
        nodes=tuple(Node(name=of["name"], kind=of["kind"]) for of in content["nodes"]),
        frames=tuple(frames),
    )


def _places(exogenous: Exogenous) -> tuple[tuple[float, ...], tuple[float, ...]]:
    clients, services = exogenous.client_position_m[0], exogenous.service_position_m[0]
    strips = [i % STRIPS for i in range(len(clients))] + [(j + STRIPS // 2) % STRIPS for j in range(len(services))]
    x = (*_short(clients, 1), *_short(services, 1), 0.0)
    return x, (*(STRIP_M * (strip + 0.5) for strip in strips), RSU_Y_M)


def _waits(state: State) -> tuple[float, ...]:
    rsu = np.array([state.rsu_backlog_gcycles[0].sum()])
    return tuple(
        value for row in (state.client_backlog_gcycles[0], state.service_backlog_gcycles[0], rsu)
        for value in _short(row, 3)
    )  # fmt: skip


def _short(of: np.ndarray, decimals: int) -> tuple[float, ...]:
    return tuple(cast(list[float], np.round(of, decimals).tolist()))
