"""The noise schedule of a diffusion over action values, with its forward and reverse steps.

Steps are numbered m = 1..M as in the paper; arrays hold step m at index m - 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The coefficients of each step, `[M]`: beta_m, alpha_m = 1 - beta_m, the product of alpha up to m, and the
    variance of a reverse step.
    """

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor
    posterior_variance: Tensor

    @property
    def steps(self) -> int:
        """The number of steps, M."""
        return len(self.beta)

    @cached_property
    def at(self) -> list[SimpleNamespace]:
        """The coefficients of each step as floats, with which arithmetic is faster than with tensors.

        `before` is the product of alpha up to the previous step.
        """
        names = ("beta", "alpha", "alpha_bar", "posterior_variance")
        rows = zip(*(getattr(self, name).tolist() for name in names), strict=True)
        steps = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in rows]
        for step, before in zip(steps, [1.0, *self.alpha_bar.tolist()], strict=False):
            step.before = before
        return steps


def variance_preserving_schedule(steps: int, *, beta_min: float, beta_max: float) -> Schedule:
    """Returns the schedule beta_m = 1 - exp(-beta_min / M - (2m - 1) / (2 M^2) (beta_max - beta_min)).

    Paper: MAD2RL Eqs. (33), (37).
    """
    m = torch.arange(1, steps + 1, dtype=torch.float64)
    beta = 1.0 - torch.exp(-beta_min / steps - (2.0 * m - 1.0) / (2.0 * steps**2) * (beta_max - beta_min))
    alpha_bar = torch.cumprod(1.0 - beta, dim=0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    variance = (1.0 - before) / (1.0 - alpha_bar) * beta
    return Schedule(
        beta=beta.float(), alpha=(1.0 - beta).float(), alpha_bar=alpha_bar.float(), posterior_variance=variance.float()
    )


def noised(schedule: Schedule, x0: Tensor, m: int | Tensor, noise: Tensor) -> Tensor:
    """Returns x_m, the result of m noising steps from x0, for standard normal `noise`; `m` broadcasts with `x0`.

    Paper: MAD2RL Eqs. (34), (35).
    Differs: (34), a single step, is computed only as part of (35), which makes m steps at once.
    """
    alpha_bar = schedule.alpha_bar.to(x0.device)[m - 1]
    return alpha_bar.sqrt() * x0 + (1.0 - alpha_bar).sqrt() * noise


def x0_from_noise(schedule: Schedule, x: Tensor, m: int, noise: Tensor) -> Tensor:
    """Returns the x0 from which `noise` leads to x_m = `x`.

    Paper: MAD2RL Eq. (36).
    """
    alpha_bar = schedule.at[m - 1].alpha_bar
    return (x - math.sqrt(1.0 - alpha_bar) * noise) / math.sqrt(alpha_bar)


def mean_from_x0(schedule: Schedule, x: Tensor, m: int, x0: Tensor) -> Tensor:
    """Returns the mean of x_{m-1} given x_m = `x` and x0.

    Paper: MAD2RL Eq. (38).
    """
    step = schedule.at[m - 1]
    weight_x = math.sqrt(step.alpha) * (1.0 - step.before) / (1.0 - step.alpha_bar)
    weight_x0 = math.sqrt(step.before) * step.beta / (1.0 - step.alpha_bar)
    return torch.add(weight_x0 * x0, x, alpha=weight_x)


def mean_from_noise(schedule: Schedule, x: Tensor, m: int, noise: Tensor) -> Tensor:
    """Returns the mean of x_{m-1} given x_m = `x` and the noise in it.

    Paper: MAD2RL Eq. (39).
    """
    step = schedule.at[m - 1]
    weight = (1.0 - step.alpha) / math.sqrt(1.0 - step.alpha_bar)
    return torch.sub(x, noise, alpha=weight) / math.sqrt(step.alpha)


def reverse_step(schedule: Schedule, mean: Tensor, m: int, noise: Tensor) -> Tensor:
    """Returns x_{m-1}: the mean plus noise times the standard deviation of step m, which is 0 at m = 1.

    Paper: MAD2RL Eq. (40).
    """
    return torch.add(mean, noise, alpha=math.sqrt(schedule.at[m - 1].posterior_variance))
