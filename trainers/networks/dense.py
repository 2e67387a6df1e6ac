"""Dense networks of one decider in the form in which Tianshou's actors, critics and value functions ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tianshou.utils.net.common import ModuleWithVectorOutput
from torch import Tensor, nn


class Seen(ModuleWithVectorOutput):
    """Observations as networks see them, flat and compressed where asked, and the hidden layers over them, if any."""

    def __init__(self, size: int, *, compress: bool, hidden: Sequence[int] = ()) -> None:
        """`hidden`: the neurons of each hidden layer."""
        super().__init__([size, *hidden][-1])
        self.compress = compress
        pairs = pairwise([size, *hidden])
        self.layers = nn.Sequential(*(layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())))

    def forward(self, obs: Tensor, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Returns `[batch, out]` features of `obs` [batch, deciders, features], and the state as it is."""
        x = obs.flatten(1)
        return self.layers(x.sign() * x.abs().log1p() if self.compress else x), state
