"""The change of the reward by another choice of one agent, where effects last for several epochs.

A simulation tries each choice: only this agent deviates from the expert, and then the expert plays on, with the
episode's true exogenous record. All tries of a decision meet the same future, so their differences have little noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.problems.abilities import HasActionCosts
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy, mask_keyword
from vec_envs.records import map_arrays

MOST_TRIES = 12
"""The largest number of choices that are tried for a decision, beside the expert's."""
UNKNOWN = np.float32(np.nan)
"""The change by a choice that was not tried."""


def lasting_changes(
    view: View,
    episodes: Any,
    epoch: int,
    expert: Policy,
    action: Int[np.ndarray, "batch agents"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "batch agents actions"]:
    """Returns the change of the sum of rewards over `effect_epochs` if one agent alone makes another choice.

    The choices of least known cost are tried. Most others are far worse, and would only teach the agents what the known
    costs say already. Where the problem has no `action_costs`, choices are drawn at random. The change is 0 for the
    expert's own choice. It is NaN for choices that are not tried, which include the idle action, and for agents without
    a choice.

    Args:
        view: The state and the exogenous record of the present epoch.
        episodes: The exogenous records of whole episodes, `[batch, epochs + 1, ...]`.
        epoch: The number of the present epoch.
        expert: The policy that plays after this epoch.
        action: The expert's actions.
        rng: Draws the choices that are tried, where no costs are known.
    """
    problem = view.problem
    changes = np.full((*action.shape, max(problem.actions.counts)), UNKNOWN)
    env, agent = np.nonzero(problem.deciders(view.state, view.exogenous))
    if not len(env) or epoch + problem.effect_epochs > problem.episode_epochs:
        return changes
    own = action[env, agent]
    tries = np.concatenate([own[:, None], _choices(view, env, agent, rng)], axis=1)
    joint = np.repeat(action[env][:, None], tries.shape[1], axis=1)
    joint[np.arange(len(env)), :, agent] = tries
    row = np.repeat(env, tries.shape[1])
    total = _played_on(view, episodes, epoch, expert, row, joint.reshape(len(row), -1)).reshape(tries.shape)
    changes[env[:, None], agent[:, None], tries] = total - total[:, :1]
    changes[env, agent, own] = 0.0
    return changes


def _choices(
    view: View, env: Int[np.ndarray, "rows"], agent: Int[np.ndarray, "rows"], rng: np.random.Generator
) -> Int[np.ndarray, "rows tries"]:
    """Returns legal choices to try: of least known cost, or random ones where no costs are known.

    Where fewer choices are legal, the first one is repeated.

    The idle action is not tried. Waiting once costs little if the expert plays on, so agents would learn to wait again
    and again.
    """
    problem, known_costs = view.problem, view.problem
    legal: Bool[np.ndarray, "rows actions"] = problem.action_mask(view.state, view.exogenous)[env, agent]
    legal[:, problem.idle] = False
    if isinstance(known_costs, HasActionCosts):
        observation = problem.observe(view.state, view.exogenous).transpose(1, 0, 2)
        order = np.add.reduce(known_costs.action_costs().of(observation))[agent, env]
    else:
        order = rng.random(legal.shape)
    first = np.argsort(np.where(legal, order, np.inf), axis=1)[:, :MOST_TRIES]
    return np.where(np.take_along_axis(legal, first, axis=1), first, first[:, :1])


def _played_on(
    view: View,
    episodes: Any,
    epoch: int,
    expert: Policy,
    row: Int[np.ndarray, "rows"],
    action: Int[np.ndarray, "rows agents"],
) -> Float[np.ndarray, "rows"]:
    """Returns the sums of rewards in copies of environments: after the given actions, the expert plays on."""
    problem = view.problem
    state = map_arrays(lambda a: a[row], view.state)
    total = np.zeros(len(row))
    for now in range(epoch, epoch + problem.effect_epochs):
        exogenous = map_arrays(lambda a, now=now: a[row, now], episodes)
        if now > epoch:
            action = _expert_actions(problem, expert, state, exogenous)
        state, outcome = problem.transition(state, action, exogenous)
        total += outcome.reward
    return total


def _expert_actions(problem: Any, expert: Policy, state: Any, exogenous: Any) -> Int[np.ndarray, "rows agents"]:
    """Returns the expert's actions. Rows in which no agent has a choice get the idle action."""
    has_choice = problem.deciders(state, exogenous)
    action = np.full(has_choice.shape, problem.idle)
    rows = np.flatnonzero(has_choice.any(axis=-1))
    if len(rows):
        state, exogenous = (map_arrays(lambda a: a[rows], record) for record in (state, exogenous))
        view = View(problem=problem, state=state, exogenous=exogenous)
        action[rows] = expert.act(problem.observe(state, exogenous), view, **mask_keyword(expert, view))
    return action
