"""Dense networks of one decider in the form in which Tianshou's actors, critics and value functions ask for them."""

from __future__ import annotations

from typing import Any

from tianshou.utils.net.common import ModuleWithVectorOutput
from torch import Tensor, nn


class Seen(ModuleWithVectorOutput):
    """Observations as networks see them, flat and compressed where asked, and the hidden layers over them, if any."""

    def __init__(self, size: int, *, compress: bool, hidden: int = 0, hidden_layers: int = 0, beside: int = 0) -> None:
        """`beside` numbers are added to what comes out, as a critic adds an action."""
        super().__init__((hidden if hidden_layers else size) + beside)
        self.compress = compress
        layers: list[nn.Module] = []
        for n in range(hidden_layers):
            layers += [nn.Linear(hidden if n else size, hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, obs: Tensor, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Returns `[batch, out]` features of `obs` [batch, deciders, features], and the state as it is."""
        x = obs.flatten(1)
        return self.layers(x.sign() * x.abs().log1p() if self.compress else x), state
