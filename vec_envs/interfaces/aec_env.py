"""A PettingZoo AEC environment, in which agents act in turn, made of a parallel one. Each action is checked at once."""

from __future__ import annotations

from typing import Any, cast

from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.interfaces.slot_env import SlotEnv


def aec_env(parallel: SimultaneousEnv | SlotEnv) -> AgentTurns:
    """Returns the AEC environment of a parallel one."""
    return AgentTurns(_CheckedTurns(parallel))


class AgentTurns(OrderEnforcingWrapper[str, Any, Any]):
    """An AEC environment, which raises an error for methods that are called before `reset`."""

    def last(self, observe: bool = True) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Returns observation, reward, termination, truncation and info of the agent whose turn it is."""
        # The wrapper's own method looks up five attributes through its checks, which takes longer than a step.
        return self.env.last(observe) if self._has_reset else super().last(observe)


class _CheckedTurns(parallel_to_aec_wrapper[str, Any, Any]):
    """The AEC conversion of a parallel environment, with a check of each action.

    PettingZoo's own conversion reports a wrong action only after the last agent's turn, when it cannot be corrected.
    """

    def __init__(self, parallel: SimultaneousEnv | SlotEnv) -> None:
        super().__init__(cast(Any, parallel))
        self._parallel = parallel

    def step(self, action: Any) -> None:
        """Takes the action of the agent whose turn it is. Raises `ValueError` for a wrong one; the agent may retry."""
        self._parallel.check_open()
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self._parallel.check_action(agent, action)
        super().step(action)
