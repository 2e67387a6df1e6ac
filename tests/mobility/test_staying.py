"""Episodes of vehicles that stay are those of the first release, bit for bit: figures published with it must hold."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from itertools import islice

import numpy as np
import pytest

from tests.mobility.conftest import of_seats, shape
from vec_envs.mobility import Mobility, ReplayMobility, StraightMobility, SumoMobility

NAMES = [f"{role}_{name}" for name in ("xy_m", "position_m", "speed_mps") for role in ("client", "service")]


def digest(mobility: Mobility, wanted, number: int, start: int = 0) -> str:
    found = hashlib.sha256()
    for block in islice(mobility.blocks(3, wanted, start=start), number):
        for name in NAMES:
            found.update(np.ascontiguousarray(getattr(block, name)).tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(("name", "expected"), [("fdr-drive", "519440accbe4431b"), ("motorway", "afa909dad313eee4")])
def test_recorded_episodes(name: str, expected: str) -> None:
    assert digest(ReplayMobility(name), shape(7, 5, slots=31), 50, start=2) == expected


def test_episodes_of_the_straight_road() -> None:
    assert digest(StraightMobility(), shape(7, 5, slots=31), 20) == "fa4e2f17cb89b54b"
    assert digest(StraightMobility(), shape(3, 2, slots=6, slot_s=0.5), 20) == "2eeb2bf65ee4d6f8"


@pytest.mark.skipif(version("libsumo") != "1.28.0", reason="another version of SUMO drives otherwise")
def test_live_episodes(live: SumoMobility) -> None:
    found = hashlib.sha256()
    for block in islice(live.blocks(3, shape(7, 5, slots=31)), 12):
        found.update(of_seats(block, "xy_m").tobytes())
    assert found.hexdigest()[:16] == "638e21973b0ea892"
