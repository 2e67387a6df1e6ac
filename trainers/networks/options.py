"""Options of the agent networks. Nothing here needs torch, so that a command line is read quickly."""

from __future__ import annotations

from dataclasses import dataclass

from vec_envs.validation import check_integer, check_not_negative, check_one_of, check_positive_range

PREDICTIONS = ("x0", "noise")


@dataclass(frozen=True, kw_only=True)
class DenoiserOptions:
    """The options that MAD2RL has in addition to those of QMIX."""

    denoising_steps: int = 3
    """Steps M of the reverse process; 7 in Section 8.3.1."""
    beta_min: float = 0.1
    """Start of the noise schedule."""
    beta_max: float = 10.0
    """End of the noise schedule."""
    prediction: str = "x0"
    """Output of the network: `"x0"`, within a smooth bound, or `"noise"` (Eq. 39)."""
    bound: float = 30.0
    """Bound of predicted values, positive and negative, by a scaled tanh; 0 for no bound. Only with `"x0"`."""
    noise: float = 0.0
    """Scale of the noise of the reverse process; 1 in Eq. (40). With 0 the process is deterministic."""
    softmax: bool = False
    """Whether the values are a softmax over the actions (Eq. 41)."""
    step_embedding: int = 16
    """Size of the sinusoidal embedding of the step m."""

    def __post_init__(self) -> None:
        check_integer(1, denoising_steps=self.denoising_steps)
        if self.step_embedding < 2 or self.step_embedding % 2:
            raise ValueError(f"step_embedding={self.step_embedding!r} must be an even number of at least 2")
        check_positive_range(beta=(self.beta_min, self.beta_max))
        check_one_of(PREDICTIONS, prediction=self.prediction)
        check_not_negative(bound=self.bound, noise=self.noise)
