"""Transitions from one decision of an agent to its next, where the effects of decisions last for several epochs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from trainers.loop.episodes import DecisionChains, Step, Transitions
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.base import HasLastingEffects


class AgentChains:
    """Joins each decision of an agent to the next decision of the same agent.

    The transition has the joint action, and the sum of the rewards from one decision to the next. This sum contains the
    later effects of the decision. The last decision of each agent in an episode gives no transition. Epochs in which no
    agent has a choice give none either.
    """

    def __init__(self, batch: EnvironmentBatch) -> None:
        agents = len(batch.problem.agent_names)
        self._batch = batch
        self._pending: Bool[np.ndarray, "batch agents"] = np.zeros((batch.batch_size, agents), np.bool_)
        self._reward = np.zeros(self._pending.shape)
        self._stored: dict[str, np.ndarray] = {}
        self._decides = self._deciders()

    def join(
        self,
        observation: Float32[np.ndarray, "batch agents features"],
        action: Shaped[np.ndarray, "batch agents"],
        played: Step,
    ) -> Transitions:
        """Stores the decisions of a step, and returns the transitions that this step completes.

        Args:
            observation: The observations before the step.
            action: The actions to store with them.
            played: The result of the step.
        """
        running = played.running[:, None]
        decided = self._decides & running
        env, agent = np.nonzero(decided)
        for name, value in {"observation": observation, "action": action}.items():
            if name not in self._stored:
                self._stored[name] = np.zeros((*self._pending.shape, *value.shape[1:]), value.dtype)
            self._stored[name][env, agent] = value[env]
        self._reward[decided] = 0.0
        self._pending |= decided
        self._reward += np.where(running, played.reward[:, None], 0.0)
        self._decides = self._deciders()
        env, agent = np.nonzero(self._pending & self._decides & running)
        self._pending[env, agent] = False
        stored = {name: array[env, agent] for name, array in self._stored.items()}
        return Transitions(reward=self._reward[env, agent], next_observation=played.next_observation[env], **stored)

    def _deciders(self) -> Bool[np.ndarray, "batch agents"]:
        view = self._batch.view
        return view.problem.deciders(view.state, view.exogenous)


def chains_of(batch: EnvironmentBatch) -> AgentChains | DecisionChains:
    """Returns the builder of transitions for a problem: one that joins decisions agent by agent where effects last."""
    return AgentChains(batch) if isinstance(batch.problem, HasLastingEffects) else DecisionChains(batch)
