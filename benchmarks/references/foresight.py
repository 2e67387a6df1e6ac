"""Plays a reference that knows the future as a policy, on episodes that are known from the beginning."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, Int

from benchmarks.references.played import PlayedPolicy, play
from benchmarks.references.rollouts import KnownEpisodes
from vec_envs.problems.base import View
from vec_envs.problems.policy import Clairvoyance

NAME = "clairvoyant"


class _Planned:
    """A policy that asks a reference with the future for the actions of each epoch, one epoch after the other."""

    def __init__(self, reference: Clairvoyance, record: Any) -> None:
        self._reference, self._record, self._epoch = reference, record, 0

    def reset(self, seed: int) -> None:
        """Begins with the first epoch."""
        self._epoch = 0

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the actions of the next epoch."""
        if view is None:
            raise ValueError("a reference with the future needs the view of the epoch")
        action = self._reference.plan(view.state, self._record, self._epoch)
        self._epoch += 1
        return action


def play_clairvoyant(reference: Clairvoyance, episodes: KnownEpisodes) -> PlayedPolicy:
    """Plays a reference that knows the future on known episodes of a problem whose agents decide together."""
    return play(NAME, _Planned(reference, episodes.record), episodes, seed=0)
