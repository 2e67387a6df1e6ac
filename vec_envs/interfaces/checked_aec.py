"""A PettingZoo AEC environment made of a parallel one, which checks each action at once."""

from __future__ import annotations

from typing import Any, cast

from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import BaseWrapper

from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.interfaces.slot_env import SlotEnv


class CheckedAECEnv(BaseWrapper[str, Any, Any]):
    """The AEC conversion of a parallel environment, with a check of each action.

    PettingZoo's own conversion reports a wrong action only after the last agent's turn, when it cannot be corrected.
    """

    def __init__(self, parallel: SimultaneousEnv | SlotEnv) -> None:
        super().__init__(parallel_to_aec(cast(Any, parallel)))
        self._parallel = parallel

    def step(self, action: Any) -> None:
        """Takes the action of the agent whose turn it is. Raises `ValueError` for a wrong one; the agent may retry."""
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self._parallel.check_action(agent, action)
        super().step(action)
