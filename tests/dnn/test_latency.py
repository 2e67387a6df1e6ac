"""The measured time of each layer goes to the right layer; the times themselves are the machine's."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from vec_envs.dnn import DNNProfile, latency
from vec_envs.dnn.latency import measure_latency


class Slow(nn.Module):
    """Takes as many seconds of a clock of its own as it is told."""

    clock = 0.0

    def __init__(self, inner: nn.Module, seconds: float) -> None:
        super().__init__()
        self.inner, self.seconds = inner, seconds
        inner.register_forward_hook(self._work)

    def _work(self, *_: object) -> None:
        Slow.clock += self.seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Slow(nn.Conv2d(3, 4, 3), 0.25)
        self.act = Slow(nn.ReLU(), 0.5)
        self.block = nn.Sequential(Slow(nn.Conv2d(4, 4, 1), 1.0), Slow(nn.BatchNorm2d(4), 2.0))
        self.last = Slow(nn.Linear(4, 2), 4.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(self.act(self.first(x)))
        return self.last(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slow, "clock", 0.0)
    monkeypatch.setattr(latency, "time", type("Clock", (), {"perf_counter": staticmethod(lambda: Slow.clock)}))


def test_times_of_modules_go_to_their_layers(clock: None) -> None:
    module, image = Net().train(), torch.zeros(1, 3, 8, 8)
    profile = DNNProfile.from_torch(module, image, name="net")
    times = measure_latency(module, image, name="board", repeats=3)
    assert [layer.name for layer in profile.layers] == [
        "first.inner",
        "block.0.inner",
        "adaptive_avg_pool2d",
        "last.inner",
    ]
    assert times.layer_s == pytest.approx((0.75, 3.0, 0.0, 4.0))
    assert (times.device, module.training) == ("board", True)
    assert not any(leaf._forward_pre_hooks for leaf in module.modules())
    assert replace(profile, measured=(times,)).layer_s("board") == times.layer_s


class OfBatch(Net):
    """Takes one argument, a dictionary."""

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().forward(batch["image"])


def test_a_dictionary_may_be_one_argument_and_parts_keep_their_modes(clock: None) -> None:
    module = OfBatch().train()
    module.block.eval()
    profile = DNNProfile.from_torch(Net(), torch.zeros(1, 3, 8, 8), name="net")
    times = measure_latency(module, {"image": torch.zeros(1, 3, 8, 8)}, profile=profile, repeats=1)
    assert times.layer_s == pytest.approx((0.75, 3.0, 0.0, 4.0))
    assert (module.training, module.block.training, module.last.training) == (True, False, True)


@pytest.mark.slow
def test_time_between_modules_goes_to_layers_without_one(clock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_pool(x: torch.Tensor, size: int) -> torch.Tensor:
        Slow.clock += 8.0
        return x.mean((2, 3), keepdim=True)

    module, image = Net(), torch.zeros(1, 3, 8, 8)
    profile = DNNProfile.from_torch(module, image, name="net")
    monkeypatch.setattr(nn.functional, "adaptive_avg_pool2d", slow_pool)
    assert measure_latency(module, image, profile=profile, repeats=1).layer_s == pytest.approx((0.75, 3.0, 8.0, 4.0))


@pytest.mark.slow
def test_real_times_add_up_and_say_how_they_were_measured() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    began = time.perf_counter()
    times = measure_latency(module, torch.zeros(1, 3, 8, 8), repeats=2)
    assert 0.0 < sum(times.layer_s) < time.perf_counter() - began
    assert "threads, median of 2 runs" in times.source
    with pytest.raises(ValueError, match="repeats must be an integer of at least 1, got 0"):
        measure_latency(module, torch.zeros(1, 3, 8, 8), repeats=0)
