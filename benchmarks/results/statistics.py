"""Means with intervals, by a hierarchical bootstrap: training seeds are drawn again, and so are the episodes.

All policies of a case play the same episodes, so a draw takes the same episodes for all of them: what an episode makes
easy or hard for everybody cancels in differences. Training seeds are drawn policy by policy.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy import stats

RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value, and what it is in each draw of the bootstrap."""

    value: float
    draws: Float[np.ndarray, "resamples"]

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(value=self.value - other.value, draws=self.draws - other.draws)

    def __truediv__(self, other: Estimate) -> Estimate:
        return Estimate(value=self.value / other.value, draws=self.draws / other.draws)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95%."""
        low, high = np.percentile(self.draws, (2.5, 97.5))
        return float(low), float(high)


def estimate(
    of: Float[np.ndarray, "seeds episodes"],
    *,
    name: str,
    to: Float[np.ndarray, "seeds episodes"] | None = None,
    resamples: int = RESAMPLES,
    widened: bool = True,
) -> Estimate:
    """Returns the mean over training seeds of the mean over episodes, or of the ratio of the sums where `to` is given.

    `name` decides which seeds are drawn: the same for the same policy and case, independent ones for others. With a
    single seed the interval is that of the episodes alone. Raises `ValueError` where there are no values, or a ratio's
    divisor is 0.

    Differs from a plain bootstrap: a handful of seeds drawn from themselves vary too little, by a factor of 1.6 where
    there are 5; what the seeds add to a draw is widened by it (`small_sample_factor`), unless `widened` is false.
    """
    if of.ndim != 2 or not of.size:
        raise ValueError(f"values of seeds x episodes are needed, got shape {of.shape}")
    seeds, episodes = of.shape
    ones = np.full((1, episodes), 1.0 / episodes)
    value = _of_seeds(ones, of, to).mean()
    by_seed = _of_seeds(_episode_weights(episodes, resamples), of, to)
    mean = by_seed.mean(axis=1)
    rng = np.random.default_rng((zlib.crc32(name.encode()), seeds))
    drawn = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=resamples) / seeds
    by_chance = (drawn * by_seed).sum(axis=1) - mean
    return Estimate(value=float(value), draws=mean + (small_sample_factor(seeds) if widened else 1.0) * by_chance)


def small_sample_factor(seeds: int) -> float:
    """Returns by how much a percentile interval of the mean of so few draws is too narrow; 1 for a single one.

    The sample's own variance is n / (n - 1) too small, and Student's t takes the place of the normal.
    """
    if seeds == 1:
        return 1.0
    return float(np.sqrt(seeds / (seeds - 1)) * stats.t.ppf(0.975, seeds - 1) / stats.norm.ppf(0.975))


def _of_seeds(
    weights: Float[np.ndarray, "resamples episodes"],
    of: Float[np.ndarray, "seeds episodes"],
    to: Float[np.ndarray, "seeds episodes"] | None,
) -> Float[np.ndarray, "resamples seeds"]:
    """Returns each seed's mean, or ratio of sums, over weighted episodes."""
    above = weights @ of.T
    if to is None:
        return above
    below = weights @ to.T
    if not (below > 0.0).all():
        raise ValueError("a ratio is of sums that are above 0, in every draw of the episodes")
    return above / below


@cache
def _episode_weights(episodes: int, resamples: int) -> Float[np.ndarray, "resamples episodes"]:
    """Returns how often each episode is in a draw, over their number: the same at every call."""
    rng = np.random.default_rng((0, episodes))
    return rng.multinomial(episodes, np.full(episodes, 1.0 / episodes), size=resamples) / episodes
