"""Fewer threads on a busy machine."""

from __future__ import annotations

import pytest
import torch

from trainers.runs import thread_share
from trainers.runs.thread_share import ThreadShare, chosen_threads, waited_and_computed_s


@pytest.mark.parametrize(
    ("used", "waited_s", "computed_s", "chosen"),
    [
        (2, 0.0, 1.0, 2),
        (2, 0.9, 1.0, 2),
        (2, 1.1, 1.0, 1),
        (1, 1.1, 1.0, 1),
        (1, 0.5, 1.0, 1),
        (1, 0.1, 1.0, 2),
        (2, 0.0, 0.0, 2),
    ],
)
def test_threads_follow_the_waiting(used: int, waited_s: float, computed_s: float, chosen: int) -> None:
    assert chosen_threads(2, used, waited_s, computed_s) == chosen


@pytest.mark.parametrize(("threads", "expected"), [(2, [1, 1, 2]), (1, []), (0, [])])
def test_a_training_adapts_to_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, threads: int, expected: list[int]
) -> None:
    times = iter([(0.0, 0.0), (9.0, 1.0), (9.5, 2.0), (9.5, 3.0)])
    chosen: list[int] = []
    monkeypatch.setattr(thread_share, "PERIOD_S", 0.0)
    monkeypatch.setattr(thread_share, "waited_and_computed_s", lambda: next(times))
    share, used = ThreadShare(threads), torch.get_num_threads()
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for _ in range(3):
        share.adapt()
    assert chosen == ([expected[0], expected[-1]] if expected else [])
    assert torch.get_num_threads() == used


def test_where_nothing_tells_the_threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_share, "PERIOD_S", 0.0)
    monkeypatch.setattr(thread_share, "waited_and_computed_s", lambda: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: pytest.fail("changed"))
    ThreadShare(2).adapt()


def test_linux_tells_the_waiting() -> None:
    told = waited_and_computed_s()
    if told is not None:
        assert told[0] >= 0.0
        assert told[1] > 0.0
