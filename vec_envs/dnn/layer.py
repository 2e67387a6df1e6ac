"""One logical layer of a deep neural network: its work, its memory and the size of its output."""

from __future__ import annotations

from dataclasses import dataclass

from vec_envs.validation import check_not_negative


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A logical layer of a network: no cut divides it.

    A layer may have no work, no parameters or no output.

    Raises:
        ValueError: A number is negative or not finite.

    Paper: RTD Eq. (3).
    """

    name: str
    gflops: float
    """Operations in Gflop, counted by one of the papers' conventions; 1 flop is 1 cycle."""
    gmacs: float
    """Multiply-accumulates in units of 1e9."""
    output_mbit: float
    """Size of the output tensor in Mbit (1e6 bits)."""
    parameter_mbyte: float
    """Memory of the parameters in Mbyte (1e6 bytes)."""

    def __post_init__(self) -> None:
        for field in ("gflops", "gmacs", "output_mbit", "parameter_mbyte"):
            number = getattr(self, field)
            check_not_negative(**{f"{field} of layer {self.name!r}": number})
            object.__setattr__(self, field, float(number))
