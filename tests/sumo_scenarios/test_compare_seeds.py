"""The share of traffic that seeds have in common, and the share that is near by chance."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sumo_scenarios import compare_seeds
from vec_envs.mobility.traffic import TrafficWindow


def window(*places: tuple[float, float], present: tuple[bool, ...] = ()) -> TrafficWindow:
    """Vehicles that stand for eleven slots, of which the first and the last one are compared."""
    xy_m = np.tile(np.array(places), (11, 1, 1))
    there = np.tile(np.array(present or (True,) * len(places)), (11, 1))
    zeros, ones = np.zeros(there.shape), np.ones(len(places), dtype=np.bool_)
    return TrafficWindow(
        xy_m=xy_m, position_m=zeros, speed_mps=zeros, present=there, may_be_client=ones, may_be_service=ones
    )


def test_vehicles_near_another_one_in_the_same_slot_are_counted() -> None:
    one = window((0.0, 0.0), (100.0, 0.0), (500.0, 0.0), (900.0, 0.0))
    other = window((6.0, 8.0), (110.1, 0.0), (500.0, 0.0), present=(True, True, False))
    assert compare_seeds.share_near(one, other, 10.0) == 0.25
    assert compare_seeds.share_near(one, other, 11.0) == 0.5
    other.xy_m[10, 0] = 3000.0
    assert compare_seeds.share_near(one, other, 10.0) == 0.125
    nobody = window((0.0, 0.0), present=(False,))
    assert compare_seeds.share_near(one, nobody, 10.0) == 0.0


@pytest.mark.slow
def test_the_command_compares_seeds_and_scenarios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_seeds.main(["city-grid", "--episodes", "2", "--slots", "5"]) == 0
    assert compare_seeds.main(["city-grid", "--episodes", "2", "--slots", "5", "--other", "two-way-road"]) == 0
    said = capsys.readouterr().out.splitlines()
    shares = [int(re.match(r"city-grid: (\d+) % of the vehicles in range are within 10 m", line)[1]) for line in said]
    assert shares[0] < 60
    assert "of two-way-road in the same slot" in said[1]
    for wrong, words in (("nowhere", "scenario must be one of"), ("city-grid", "--episodes must be an integer")):
        with pytest.raises(SystemExit):
            compare_seeds.main([wrong, "--episodes", "2" if wrong == "nowhere" else "1"])
        assert words in capsys.readouterr().err
