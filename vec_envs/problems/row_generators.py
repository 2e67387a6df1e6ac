"""Random numbers of policies: a generator for each environment of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Shaped


class RowGenerators:
    """A random generator for each environment of a batch. Environment b uses the seed s + b, like its episode.

    So the decisions of a random policy in an episode do not depend on the other environments of the batch.

    Args:
        seed: The seed s of the first environment.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generators: list[np.random.Generator] = []

    def of(self, batch_size: int) -> list[np.random.Generator]:
        """Returns the generators of the first environments; each continues where it was."""
        known = len(self._generators)
        self._generators += [np.random.default_rng(self._seed + row) for row in range(known, batch_size)]
        return self._generators[:batch_size]

    def stacked(
        self, batch_size: int, draw: Callable[[np.random.Generator], Shaped[np.ndarray, "..."]]
    ) -> Shaped[np.ndarray, "batch ..."]:
        """Returns the draws from the generators of all environments, stacked.

        Example: `generators.stacked(32, lambda rng: rng.random(7))` has the shape [32, 7].
        """
        return np.stack([draw(rng) for rng in self.of(batch_size)])
