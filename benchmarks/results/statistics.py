"""Means with confidence intervals, by a hierarchical bootstrap over training seeds and episodes.

All policies of a case play the same episodes, so a resample takes the same episodes for all of them. The difficulty of
an episode then cancels in differences between policies. Training seeds are resampled for each policy on its own.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy import stats

RESAMPLES = 10_000
GROWS_BY = 0.75
"""A queue that grows gains more than this fraction of its mean in an episode.

A queue that grows steadily from empty gains 2 means. The fraction is large because the episodes of the suite `main` are
short: with a tenth, queues that are still filling would count as growing.
"""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its bootstrap distribution."""

    value: float
    draws: Float[np.ndarray, "resamples"]
    """The value in each resample."""

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(value=self.value - other.value, draws=self.draws - other.draws)

    def __truediv__(self, other: Estimate) -> Estimate:
        return Estimate(value=self.value / other.value, draws=self.draws / other.draws)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95% confidence interval."""
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
    """Returns the mean over training seeds of the mean over episodes, or of a ratio of sums over episodes.

    With a single seed the interval covers the episodes alone.

    Args:
        of: A value for each training seed and episode.
        name: The name of the policy and the case. It seeds the resampling of training seeds, so that the same policy
            on the same case has the same resamples, and others have independent ones.
        to: The divisor of a ratio; None for a mean.
        resamples: The number of resamples.
        widened: Whether the spread between seeds is widened for small samples.

    Raises `ValueError` where there are no values, or where a sum of the divisor is not above 0.

    Differs from a plain bootstrap: an interval from a handful of seeds is too narrow, by a factor of 1.6 where there
    are 5. The part of the spread that comes from the seeds is widened by `small_sample_factor`, unless `widened` is
    false.
    """
    if of.ndim != 2 or not of.size:
        raise ValueError(f"values of seeds x episodes are needed, got an array of shape {of.shape}")
    seeds, episodes = of.shape
    ones = np.full((1, episodes), 1.0 / episodes)
    value = _of_seeds(ones, of, to).mean()
    by_seed = _of_seeds(_episode_weights(episodes, resamples), of, to)
    mean = by_seed.mean(axis=1)
    rng = np.random.default_rng((zlib.crc32(name.encode()), seeds))
    drawn = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=resamples) / seeds
    by_chance = (drawn * by_seed).sum(axis=1) - mean
    return Estimate(value=float(value), draws=mean + (small_sample_factor(seeds) if widened else 1.0) * by_chance)


def grows(slope: Estimate, *, mean: float, epochs: float, by: float = GROWS_BY) -> bool:
    """Returns whether a queue grows: the definition of the leaderboard, of its pages and of `benchmarks.verify`.

    It grows if the lower end of its slope's interval adds more than a fraction of the mean in an episode.

    Args:
        slope: The slope per decision epoch over the counted part of an episode, pooled over the runs of a policy.
        mean: The mean of the queue.
        epochs: The number of decision epochs of an episode.
        by: The fraction.
    """
    low, _ = slope.interval
    return bool(low > 0.0 and low * epochs > by * mean)


def small_sample_factor(seeds: int) -> float:
    """Returns the factor by which a percentile interval of the mean of a small sample is too narrow; 1 for one seed.

    The resampled variance is too small by (n - 1) / n, and the mean of a small sample follows Student's t distribution
    instead of the normal distribution.
    """
    if seeds == 1:
        return 1.0
    return float(np.sqrt(seeds / (seeds - 1)) * stats.t.ppf(0.975, seeds - 1) / stats.norm.ppf(0.975))


def _of_seeds(
    weights: Float[np.ndarray, "resamples episodes"],
    of: Float[np.ndarray, "seeds episodes"],
    to: Float[np.ndarray, "seeds episodes"] | None,
) -> Float[np.ndarray, "resamples seeds"]:
    """Returns the mean of each seed over weighted episodes, or the ratio of sums."""
    above = weights @ of.T
    if to is None:
        return above
    below = weights @ to.T
    if not (below > 0.0).all():
        raise ValueError("the divisor of a ratio must have a sum above 0 in every resample of the episodes")
    return above / below


@cache
def _episode_weights(episodes: int, resamples: int) -> Float[np.ndarray, "resamples episodes"]:
    """Returns the weight of each episode in each resample. The weights are the same in every call."""
    rng = np.random.default_rng((0, episodes))
    return rng.multinomial(episodes, np.full(episodes, 1.0 / episodes), size=resamples) / episodes
