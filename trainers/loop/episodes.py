"""Playing one episode in each environment of a batch, and adding up the results.

Environments end at different steps. An environment that has ended stays unchanged until all have ended. Its actions
then have no effect, and its rows in a `Step` have no meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.base import Metric, View
from vec_envs.validation import near_misses

PerEnvironment = Float[np.ndarray, "batch"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """The result of one decision in each environment. Rows of environments that are not `running` have no meaning."""

    running: Bool[np.ndarray, "batch"]
    """Which environments had not ended before this step."""
    reward: PerEnvironment
    next_observation: Float32[np.ndarray, "batch deciders features"]
    """The observation after the step, also after the last decision of an episode."""
    chain: Int[np.ndarray, "batch"]
    """The decision chain that the decision joined; -1 where it joined none."""
    metrics: Mapping[str, Any]
    """The problem's metrics of this decision, by name."""


def step(batch: EnvironmentBatch, action: Shaped[np.ndarray, "batch deciders ..."]) -> Step:
    """Plays one decision in all environments. Raises `ValueError` for an action of wrong shape, type or range."""
    running = ~batch.ended
    if not running.all():
        action = action.copy()
        action[~running] = 0
    outcome = batch.step(action)
    metrics = batch.problem.metrics(batch.state, outcome)
    return Step(
        running=running,
        reward=np.asarray(outcome.reward),
        next_observation=batch.observe(),
        chain=batch.chain_of(outcome),
        metrics=metrics,
    )


def play_out(
    batch: EnvironmentBatch,
    decide: Callable[[np.ndarray, View], np.ndarray],
    reported: tuple[Metric, ...],
    *,
    watch: Callable[[Step], None] | None = None,
) -> Tally:
    """Plays all environments to the end of their episodes.

    Args:
        batch: The environments, after a reset.
        decide: Returns the actions for observations and the view of the present epoch.
        reported: The metrics to add up.
        watch: Is called with every step.

    Returns:
        The returns and metrics of the episodes.

    Raises:
        ValueError: The problem lacks one of the metrics; the message lists those that it has.
    """
    tally, observation = Tally(reported, batch.batch_size), batch.observe()
    while not batch.ended.all():
        played = step(batch, decide(observation, batch.view))
        tally.add(played)
        if watch is not None:
            watch(played)
        observation = played.next_observation
    return tally


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """Decisions with their rewards, and the observation at the next decision of the same decision chain."""

    observation: Float32[np.ndarray, "transitions deciders features"]
    action: Shaped[np.ndarray, "transitions ..."]
    reward: Float[np.ndarray, "transitions"]
    next_observation: Float32[np.ndarray, "transitions deciders features"]


class PendingDecisions:
    """Decisions that wait for the next decision of their chain, at most one in each chain of an environment."""

    def __init__(self, batch_size: int, num_chains: int) -> None:
        self.pending: Bool[np.ndarray, "batch chains"] = np.zeros((batch_size, num_chains), np.bool_)
        """Chains in which a decision waits."""
        self._values: dict[str, np.ndarray] = {}

    def store(
        self,
        env: Int[np.ndarray, "decisions"],
        chain: Int[np.ndarray, "decisions"],
        **values: Shaped[np.ndarray, "batch ..."],
    ) -> None:
        """Stores decisions. They replace those that wait in the same chains.

        Args:
            env: The indices of their environments.
            chain: The indices of their chains.
            values: Fields of `Transitions` by name, for all environments.
        """
        for name, value in values.items():
            if name not in self._values:
                self._values[name] = np.zeros((*self.pending.shape, *value.shape[1:]), value.dtype)
            self._values[name][env, chain] = value[env]
        self.pending[env, chain] = True

    def add_reward(self, reward: PerEnvironment) -> None:
        """Adds a reward to the stored decisions of each environment."""
        if "reward" in self._values:
            self._values["reward"] += reward[:, None]

    def complete(
        self,
        env: Int[np.ndarray, "transitions"],
        chain: Int[np.ndarray, "transitions"],
        *,
        next_observation: Float32[np.ndarray, "batch deciders features"],
    ) -> Transitions:
        """Returns the transitions of decisions that waited. At least one decision must have been stored before."""
        self.pending[env, chain] = False
        stored = {name: value[env, chain] for name, value in self._values.items()}
        return Transitions(next_observation=next_observation[env], **stored)


class Chains(Protocol):
    """Joins each decision to the next decision of its chain."""

    def join(
        self,
        observation: Float32[np.ndarray, "batch deciders features"],
        action: Shaped[np.ndarray, "batch ..."],
        played: Step,
    ) -> Transitions:
        """Stores the decisions of a step, and returns the transitions that this step completes.

        Args:
            observation: The observations before the step.
            action: The actions to store with them.
            played: The result of the step.
        """
        ...


class DecisionChains:
    """Joins each decision of an episode to the next one of its decision chain, `problem.chain`.

    The last decision of a chain gives no transition. Where an action chooses its chain, a decision can complete
    transitions of two chains. One is the chain that `problem.chain` gives before the action is known, such as that of
    the nearest unit. The other is the chain that the action chose. A transition ends at the first decision that
    completes it.
    """

    def __init__(self, batch: EnvironmentBatch) -> None:
        self._batch = batch
        self._decisions = PendingDecisions(batch.batch_size, batch.num_chains)

    def join(
        self,
        observation: Float32[np.ndarray, "batch deciders features"],
        action: Shaped[np.ndarray, "batch ..."],
        played: Step,
    ) -> Transitions:
        """Stores the decisions of a step, and returns the completed transitions; see `Chains.join`."""
        chosen, running = played.chain, played.running
        env = self._waiting(chosen, running)
        by_choice = self._decisions.complete(env, chosen[env], next_observation=observation) if len(env) else None
        env = np.flatnonzero(running & (chosen >= 0))
        self._decisions.store(env, chosen[env], observation=observation, action=action, reward=played.reward)
        following = self._batch.chain
        env = self._waiting(following, running)
        by_epoch = self._decisions.complete(env, following[env], next_observation=played.next_observation)
        return by_epoch if by_choice is None else concatenated(by_choice, by_epoch)

    def _waiting(
        self, chain: Int[np.ndarray, "batch"], running: Bool[np.ndarray, "batch"]
    ) -> Int[np.ndarray, "waiting"]:
        """Returns the running environments in whose given chain a decision waits; chain -1 means none."""
        pending = self._decisions.pending[np.arange(len(chain)), chain]
        return np.flatnonzero(running & (chain >= 0) & pending)


def concatenated(first: Transitions, second: Transitions) -> Transitions:
    """Returns the transitions of `first`, followed by those of `second`."""
    names = [field.name for field in fields(Transitions)]
    return Transitions(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


class Tally:
    """Adds up one episode of each environment: returns, means of metrics, and their last values."""

    def __init__(self, reported: tuple[Metric, ...], batch_size: int) -> None:
        self.returns: PerEnvironment = np.zeros(batch_size)
        self.decisions: Int[np.ndarray, "batch"] = np.zeros(batch_size, dtype=np.int64)
        self.last: dict[str, PerEnvironment] = {metric.name: np.zeros(batch_size) for metric in reported}
        self._sums: dict[str, PerEnvironment] = {metric.name: np.zeros(batch_size) for metric in reported}

    def add(self, played: Step) -> None:
        """Adds a step of the running environments. Raises `ValueError` where the step lacks a metric."""
        if missing := self._sums.keys() - played.metrics.keys():
            near = near_misses(sorted(missing), list(played.metrics))
            raise ValueError(
                f"the problem has no metric {', '.join(sorted(missing))}; it has {', '.join(played.metrics)}{near}"
            )
        self.returns += np.where(played.running, played.reward, 0.0)
        self.decisions += played.running
        for name, total in self._sums.items():
            total += np.where(played.running, played.metrics[name], 0.0)
            self.last[name] = np.where(played.running, played.metrics[name], self.last[name])

    def means(self) -> dict[str, PerEnvironment]:
        """Returns the mean of each metric over an environment's decisions; 0 for an environment without any."""
        decisions = np.maximum(self.decisions, 1)
        return {name: total / decisions for name, total in self._sums.items()}


class Trend:
    """Slopes of metrics per decision epoch, by least squares over the last two thirds of an environment's epochs."""

    def __init__(self, names: Sequence[str], batch_size: int) -> None:
        self._values: dict[str, list[PerEnvironment]] = {name: [] for name in names}
        self._running = list[np.ndarray]()
        self._none: PerEnvironment = np.zeros(batch_size)

    def add(self, played: Step) -> None:
        """Adds a step of the running environments. Raises `KeyError` where the step lacks a metric."""
        self._running.append(played.running)
        for name, values in self._values.items():
            values.append(np.asarray(played.metrics[name], dtype=np.float64))

    def slopes(self) -> dict[str, PerEnvironment]:
        """Returns the slope of each metric in each environment; 0 for fewer than two epochs."""
        return {name: self._slope(np.array(values)) if values else self._none for name, values in self._values.items()}

    def _slope(self, values: Float[np.ndarray, "epochs batch"]) -> PerEnvironment:
        running = np.array(self._running)
        counted = running & (np.cumsum(running, axis=0) > running.sum(axis=0) // 3)
        epoch = np.arange(len(values), dtype=np.float64)[:, None]
        epoch = epoch - (counted * epoch).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        spread = (counted * epoch**2).sum(axis=0)
        rise = (counted * epoch * np.where(counted, values, 0.0)).sum(axis=0)
        return np.divide(rise, spread, out=np.zeros(rise.shape), where=spread > 0.0)
