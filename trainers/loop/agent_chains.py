"""Transitions from one decision of an agent to its next, where the effects of decisions last for several epochs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from trainers.loop.episodes import Chains, DecisionChains, PendingDecisions, Step, Transitions
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.abilities import HasLastingEffects


class AgentChains:
    """Joins each decision of an agent to the next decision of the same agent, which is a chain of its own.

    The transition has the joint action, and the sum of the rewards from one decision to the next. This sum contains the
    later effects of the decision. The last decision of each agent in an episode gives no transition. Epochs in which no
    agent has a choice give none either.
    """

    def __init__(self, batch: EnvironmentBatch) -> None:
        self._batch = batch
        self._decisions = PendingDecisions(batch.batch_size, len(batch.problem.agent_names))
        self._decides = self._deciders()

    def join(
        self,
        observation: Float32[np.ndarray, "batch agents features"],
        action: Shaped[np.ndarray, "batch agents"],
        played: Step,
    ) -> Transitions:
        """Stores the decisions of a step, and returns the completed transitions; see `Chains.join`."""
        reward, running = played.reward, played.running[:, None]
        self._decisions.add_reward(np.where(played.running, reward, 0.0))
        env, agent = np.nonzero(self._decides & running)
        self._decisions.store(env, agent, observation=observation, action=action, reward=reward)
        self._decides = self._deciders()
        env, agent = np.nonzero(self._decisions.pending & self._decides & running)
        return self._decisions.complete(env, agent, next_observation=played.next_observation)

    def _deciders(self) -> Bool[np.ndarray, "batch agents"]:
        view = self._batch.view
        return view.problem.deciders(view.state, view.exogenous)


def chains_of(batch: EnvironmentBatch) -> Chains:
    """Returns what joins the decisions of a problem: agent by agent where effects last."""
    return AgentChains(batch) if isinstance(batch.problem, HasLastingEffects) else DecisionChains(batch)
