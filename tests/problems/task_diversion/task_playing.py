"""Episodes of `TaskDiversion` on made-up traffic, by all kinds of actors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.made_up import profile
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.policies import CheapestCut
from vec_envs.problems.base import View
from vec_envs.problems.task_diversion.problem import Draws, Exogenous, Outcome, State, TaskDiversion
from vec_envs.records import map_arrays, stack

ROAD = Road(
    name="test",
    rsu_xyz_m=(0.0, -15.0, 4.0),
    range_m=2000.0,
    speed_limit_mps=20.0,
    axis_xy_m=((-1200.0, 0.0), (1200.0, 0.0)),
)
OWN_DNNS = (profile("short", (1.0, 3.0), (4.0, 2.0, 0.5)), profile("long", (0.0, 2.0, 0.1, 5.0), (1.0, 8.0, 8.0, 0, 1)))


def problem_of(**options: Any) -> TaskDiversion:
    plain = {"num_client_vehicles": 6, "episode_slots": 12, "dnns": OWN_DNNS, "release_rate_hz": 0.5}
    return TaskDiversion(**(plain | {"observation": "extended"} | options))


def holders(rng: np.random.Generator, slots: int, seats: int) -> np.ndarray:
    """Returns who holds each seat: vehicles that come and go, with gaps; everyone is there in the first slot."""
    holder = np.full((slots, seats), -1)
    number = 0
    for slot in range(slots):
        for seat in range(seats):
            held = slot > 0 and holder[slot - 1, seat] >= 0
            if held and rng.random() > 0.15:
                holder[slot, seat] = holder[slot - 1, seat]
            elif slot == 0 or rng.random() < 0.6:
                holder[slot, seat], number = number, number + 1
    return holder


def traffic_of(rng: np.random.Generator, problem: TaskDiversion) -> TrafficBlock:
    slots, seats = problem.episode_slots + 1, problem.num_client_vehicles
    holder = holders(rng, slots, seats)
    held = holder >= 0
    xy_m = np.stack([rng.uniform(-1300.0, 1300.0, held.shape), rng.uniform(-10.0, 10.0, held.shape)], axis=-1)
    return TrafficBlock(
        client_xy_m=xy_m * held[..., None],
        client_position_m=xy_m[..., 0] * held,
        client_speed_mps=rng.uniform(-20.0, 20.0, held.shape) * held,
        client_vehicle=holder,
        service_xy_m=np.zeros((slots, 0, 2)),
        service_position_m=np.zeros((slots, 0)),
        service_speed_mps=np.zeros((slots, 0)),
        service_vehicle=np.zeros((slots, 0), dtype=int),
    )


def drawn(problem: TaskDiversion, seed: int, num_envs: int) -> tuple[list[Draws], list[TrafficBlock], Exogenous]:
    rng = np.random.default_rng(seed)
    traffic = [traffic_of(rng, problem) for _ in range(num_envs)]
    draws = [problem.sample(rng) for _ in range(num_envs)]
    return draws, traffic, problem.exogenous(stack(draws), stack(traffic), ROAD)


Actor = Callable[[View, np.random.Generator], np.ndarray]


def at_random(view: View, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (len(view.exogenous.dnn), 1, view.problem.actions.size))


def at_the_borders(view: View, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1.0, 0.0, 1.0], (len(view.exogenous.dnn), 1, view.problem.actions.size)).astype(np.float32)


def all_to_slow_units(view: View, rng: np.random.Generator) -> np.ndarray:
    action = at_random(view, rng)
    action[..., [0, 2]] = -1.0
    return action


def by_rule(view: View, rng: np.random.Generator) -> np.ndarray:
    observation = view.problem.observe(view.state, view.exogenous)
    return CheapestCut(view.problem).act(observation, view)


ACTORS = (at_random, at_the_borders, all_to_slow_units, by_rule)


def each_in_its_own_way(view: View, rng: np.random.Generator) -> np.ndarray:
    """Returns the actions of as many environments as there are actors, one environment per actor."""
    return np.stack([actor(view, rng)[row] for row, actor in enumerate(ACTORS)])


@dataclass(frozen=True, kw_only=True)
class Step:
    """An epoch of all environments: those that have not ended, the decision, and its outcome."""

    goes_on: list[int]
    view: View
    action: np.ndarray
    next_state: State
    outcome: Outcome


def played(problem: TaskDiversion, episode: Exogenous, actor: Actor, seed: int) -> Iterator[Step]:
    rng, rows = np.random.default_rng(seed), np.arange(len(episode.seat))
    state = problem.initial_state((len(rows),))
    epoch = problem.next_epoch(state, episode, np.zeros(len(rows), dtype=int))
    while (epoch < problem.episode_epochs).any():
        exogenous = map_arrays(lambda a, at=(rows, epoch): a[at], episode)
        view = View(problem=problem, state=state, exogenous=exogenous)
        action = actor(view, rng)
        state, outcome = problem.transition(state, action, exogenous)
        goes_on = np.flatnonzero(epoch < problem.episode_epochs).tolist()
        yield Step(goes_on=goes_on, view=view, action=action, next_state=state, outcome=outcome)
        epoch = problem.next_epoch(state, episode, np.minimum(epoch + 1, problem.episode_epochs))
