"""Early exits of a network: the layers after which a result can be had, and how accurate it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from vec_envs.validation import check_at_most, check_fraction, check_integer, check_list, shown


@dataclass(frozen=True, kw_only=True)
class EarlyExit:
    """A result that a network gives after some of its layers. Environments do not use it yet.

    Raises:
        ValueError: `after_layer` is no integer of at least 1, or `accuracy` no number from 0 to 1.
    """

    after_layer: int
    """The number of layers that run before the result: the number of the cut at the same place, from 1 to L. The exit
    after layer L is the network's own result."""
    accuracy: float
    """The share of samples whose result is right, from 0 to 1, by the measure of the network's task."""

    def __post_init__(self) -> None:
        check_integer(1, after_layer=self.after_layer)
        check_fraction(accuracy=self.accuracy)
        object.__setattr__(self, "after_layer", int(self.after_layer))
        object.__setattr__(self, "accuracy", float(self.accuracy))


def checked_exits(exits: Any, *, of: str, num_layers: int) -> tuple[EarlyExit, ...]:
    """Returns the exits of a profile in the order of their layers.

    Args:
        exits: A list or tuple of `EarlyExit`.
        of: The name of the profile, for messages.
        num_layers: The number of its layers.

    Raises:
        ValueError: An entry is no `EarlyExit`, lies beyond the last layer, or two have one layer.
    """
    check_list(**{f"exits of profile {of!r}": exits})
    for early in exits:
        if not isinstance(early, EarlyExit):
            raise ValueError(f"exits of profile {of!r} must hold EarlyExit objects, got {shown(early)}")
        check_at_most(num_layers, **{f"after_layer of an exit of profile {of!r}": early.after_layer})
    in_order = sorted(exits, key=lambda early: early.after_layer)
    for early, later in pairwise(in_order):
        if early.after_layer == later.after_layer:
            raise ValueError(f"exits of profile {of!r} must name each layer once, got {early.after_layer} twice")
    return tuple(in_order)


def exits_of(texts: Iterable[str]) -> tuple[EarlyExit, ...]:
    """Returns the exits that a command line gives, each `CUT:ACCURACY` such as `4:0.71`.

    Raises:
        ValueError: A text has another form, or a number is out of bounds.
    """
    return tuple(map(_exit_of, texts))


def _exit_of(text: str) -> EarlyExit:
    cut, _, accuracy = text.partition(":")
    try:
        after_layer, share = int(cut), float(accuracy)
    except ValueError:
        raise ValueError(f"an exit must be CUT:ACCURACY, such as 4:0.71, got {shown(text)}") from None
    return EarlyExit(after_layer=after_layer, accuracy=share)
