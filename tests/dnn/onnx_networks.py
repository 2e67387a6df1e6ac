"""Small torch networks of which ONNX files are committed (`python -m tests.dnn.onnx_networks` writes them)."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

FILES = Path(__file__).parent / "onnx"


class Branches(nn.Module):
    """A residual block, a grouped convolution, an asymmetric padding and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.left, self.right = nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.Conv2d(8, 8, 1)
        self.narrow = nn.Conv2d(16, 4, 3)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.head = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = nn.functional.max_pool2d(torch.cat([self.left(x), self.right(x)], 1), 2)
        x = self.narrow(nn.functional.pad(x, (0, 1, 0, 1)))
        x = torch.sigmoid(self.up(x)) * 2.0
        return self.head(x.mean((2, 3)))


class Tokens(nn.Module):
    """An attention block on a sequence of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(6, 24), nn.Linear(8, 6)
        self.norm = nn.LayerNorm(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.into(self.norm(x)).chunk(3, dim=-1)
        weights = (query @ key.transpose(1, 2) / 8**0.5).softmax(-1)
        return self.out(weights @ value) + x


NETWORKS = {
    "chain": (
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 8, 3, groups=2), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
        ),
        (3, 16, 16),
    ),
    "branches": (Branches, (3, 32, 32)),
    "tokens": (Tokens, (7, 6)),
}


def main() -> None:
    """Writes the files by torch's exporter, which needs the package onnxscript."""
    FILES.mkdir(exist_ok=True)
    for name, (make, shape) in NETWORKS.items():
        torch.manual_seed(0)
        program = torch.onnx.export(make().eval(), (torch.zeros(1, *shape),), dynamo=True, verbose=False)
        program.save(str(FILES / f"{name}.onnx"))


if __name__ == "__main__":
    sys.exit(main())
