"""A parallel environment turn by turn, in which an action is refused when it is given."""

from __future__ import annotations

from typing import Any, cast

from pettingzoo.utils.conversions import parallel_to_aec
from pettingzoo.utils.wrappers import BaseWrapper

from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.interfaces.slot_env import SlotEnv


class CheckedAECEnv(BaseWrapper[str, Any, Any]):
    """PettingZoo's conversion keeps actions until the last agent's turn, when a wrong one could not be mended."""

    def __init__(self, parallel: SimultaneousEnv | SlotEnv) -> None:
        super().__init__(parallel_to_aec(cast(Any, parallel)))
        self._parallel = parallel

    def step(self, action: Any) -> None:
        """Takes the action of the agent whose turn it is. Raises `ValueError` for a wrong one: it may act again."""
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self._parallel.check_action(agent, action)
        super().step(action)
