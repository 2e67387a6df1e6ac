"""References for `MobileInference` that simulate what follows a start: with the present channel, or the true future.

Each client that decides tries its best starts by `start_times_s`, and a few later starts. A try plays everybody's
present tasks to their end, without new tasks. The client takes the try of least cost; where that is a later start, it
waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.mobile_inference.actions import WAIT
from vec_envs.problems.mobile_inference.policies.estimates import Who, of_rows, start_times_s, who_decides
from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.mobile_inference.records import Exogenous, State
from vec_envs.problems.policy import needs_view
from vec_envs.records import map_arrays

NUM_STARTS = 14
"""The number of starts that a client tries at once."""
LATER_SLOTS = (1, 2, 4, 8)
"""The numbers of slots after which a client tries the start that is then best by estimate."""

Action = Int[np.ndarray, "batch agents"]
Tries = Int[np.ndarray, "rows tries"]


class Rollout:
    """Every client takes the start of least cost in a simulation with the present slot's channel, in which all stay."""

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None) -> Action:
        """Returns the starts of least simulated cost. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        never = {name: np.zeros_like(getattr(view.exogenous, name)) for name in ("client_leaves", "service_leaves")}
        frozen = replace(view.exogenous, **never)
        return planned(self._problem, view.state, [frozen] * lifetime_slots(self._problem))


class Clairvoyant:
    """As `Rollout`, with the true channel and the true departures of the slots to come.

    It is an upper reference: no policy of an environment may know the future. It therefore has no `act`.
    """

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def plan(self, state: State, episodes: Exogenous, epoch: int) -> Action:
        """Returns the actions at an epoch, from the exogenous records `[batch, epochs, ...]` of whole episodes."""
        last = episodes.arrives.shape[1] - 1
        slots = [min(epoch + later, last) for later in range(lifetime_slots(self._problem))]
        return planned(self._problem, state, [map_arrays(lambda a, slot=slot: a[:, slot], episodes) for slot in slots])


def lifetime_slots(problem: MobileInference) -> int:
    """Returns the number of slots after which every task that exists now has ended."""
    return round(problem.deadline_s / problem.slot_s)


def planned(problem: MobileInference, state: State, futures: Sequence[Exogenous]) -> Action:
    """Returns for each client that decides the action of least simulated cost.

    Args:
        problem: The problem.
        state: The state, `[batch, ...]`.
        futures: The exogenous records of the present slot and of those to come, each `[batch, ...]`.
    """
    who = who_decides(state)
    if not len(who[0]):
        return np.full(state.waiting.shape, WAIT)
    tries, begins = _tries(problem, state, futures, who)
    costs_s = _simulated_s(problem, state, futures, who, tries, begins)
    best = costs_s.argmin(axis=1)
    action = np.where(begins[best] == 0, tries[np.arange(len(best)), best], WAIT)
    return of_rows(state, who, action)


def _tries(
    problem: MobileInference, state: State, futures: Sequence[Exogenous], who: Who
) -> tuple[Tries, Int[np.ndarray, "tries"]]:
    """Returns the starts that each client tries, and the slot of each: the best now, all local, and later ones."""
    now_s = _estimates_s(problem, state, futures[0], who)
    best = 1 + np.argsort(now_s, axis=1, kind="stable")[:, :NUM_STARTS]
    local = problem.starts.all_local(state.waiting_type[who])[:, None]
    slots = [slot for slot in LATER_SLOTS if slot < len(futures)]
    later = [1 + _estimates_s(problem, state, futures[slot], who).argmin(axis=1)[:, None] for slot in slots]
    begins = np.array([0] * (best.shape[1] + 1) + slots)
    return np.concatenate([best, local, *later], axis=1), begins


def _estimates_s(
    problem: MobileInference, state: State, exogenous: Exogenous, who: Who
) -> Float[np.ndarray, "rows starts"]:
    unit = exogenous.v2i_efficiency[who].max(axis=-1)
    return start_times_s(problem, state, exogenous, who, unit, exogenous.v2v_efficiency[who])


def _simulated_s(
    problem: MobileInference,
    state: State,
    futures: Sequence[Exogenous],
    who: Who,
    tries: Tries,
    begins: Int[np.ndarray, "tries"],
) -> Float[np.ndarray, "rows tries"]:
    """Returns the cost of all present tasks until they have ended, for each try of each client."""
    env, client = who
    rows, count = tries.shape
    state = map_arrays(lambda a: np.repeat(a[env][:, None], count, axis=1), state)
    total_s = np.zeros((rows, count))
    for slot, exogenous in enumerate(futures):
        now = map_arrays(lambda a: a[env][:, None], exogenous)
        now = replace(now, arrives=np.zeros_like(now.arrives))
        action = np.full((rows, count, state.waiting.shape[-1]), WAIT)
        action[np.arange(rows), :, client] = np.where(begins == slot, tries, WAIT)
        state, outcome = problem.transition(state, action, now)
        total_s += outcome.cost_s
    return total_s
