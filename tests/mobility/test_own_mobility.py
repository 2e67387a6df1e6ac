"""A mobility of somebody's own: named on a command line, and checked where it and its traffic enter."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.mobility.conftest import shape
from vec_envs.interfaces.factories import EnvironmentFactory
from vec_envs.mobility import EpisodeShape, ReplayMobility, Road, StraightMobility, TrafficBlock, TrafficError
from vec_envs.mobility import make_mobility as make
from vec_envs.mobility.block_checks import check_block, checked_blocks
from vec_envs.records import map_arrays
from vec_envs.registration import factory_of

ROAD = StraightMobility().road
SHAPE = shape(3, 2)
Change = Callable[[TrafficBlock], Any]


class Mine:
    """A straight road whose blocks pass through `change`."""

    def __init__(self, change: Change = lambda block: block, road: Any = ROAD) -> None:
        self._change, self.road = change, road

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[Any]:
        return map(self._change, StraightMobility().blocks(seed, shape, start=start))

    def close(self) -> None: ...


def with_client(name: str, index: Any, value: float) -> Change:
    """Returns a change of some values of one of the clients' arrays."""

    def change(block: TrafficBlock) -> TrafficBlock:
        array = getattr(block, name).copy()
        array[index] = value
        return replace(block, **{name: array})

    return change


def other(name: str, convert: Callable[[np.ndarray], Any]) -> Change:
    """Returns a change of an array to another type, past the types that are checked in tests."""

    def change(block: TrafficBlock) -> TrafficBlock:
        changed = copy.copy(block)
        object.__setattr__(changed, name, convert(getattr(block, name)))
        return changed

    return change


def in_degrees(block: TrafficBlock) -> TrafficBlock:
    return replace(block, **{f"{role}_xy_m": getattr(block, f"{role}_xy_m") * 1e-5 for role in ("client", "service")})


def scaled(name: str, factor: float) -> Change:
    return lambda b: replace(b, **{f"{of}_{name}": getattr(b, f"{of}_{name}") * factor for of in ("client", "service")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (asdict, "must give objects of vec_envs.mobility.TrafficBlock, .*; got dict"),
        (lambda block: None, "got NoneType"),
        (other("client_xy_m", lambda a: a.tolist()), "client_xy_m .* must be a NumPy array, got list"),
        (lambda block: map_arrays(lambda a: a[:-1], block), r"client_xy_m .* must have shape \(6, 3, 2\)"),
        (lambda block: map_arrays(lambda a: a[None], block), r"must have shape \(6, 3, 2\), got \(1, 6, 3, 2\)"),
        (other("client_xy_m", lambda a: a.astype(str)), "must hold numbers, got the type <U"),
        (other("service_speed_mps", lambda a: a.astype(complex)), "must hold numbers, got the type complex"),
        (other("service_vehicle", lambda a: a * 1.0), "must hold integers, got the type float64"),
        (with_client("client_xy_m", (2, 1), np.nan), "client_xy_m .* not finite"),
        (with_client("client_xy_m", (2, 1), 5e3), "client 1 is 7082 m from the roadside unit in slot 2, but range_m"),
        (with_client("client_vehicle", (slice(None), 1), 4), "vehicle 4 holds .* client 1 .* and that of service veh"),
        (with_client("client_vehicle", (slice(3, None), 1), 0), "vehicle 0 holds .* client 0 in slot 0 .* client 1"),
        (with_client("client_vehicle", 1, 10**6), "numbered from 0 to 29 in order .* got 0 to 1000000"),
        (with_client("client_vehicle", 1, -7), "numbered from 0 to 29"),
        (in_degrees, "xy_m must be metres, and these look like degrees or kilometres"),
        (scaled("xy_m", 1e-3), "degrees or kilometres"),
        (scaled("speed_mps", 3.6), "speed_mps of .* must be at most 50 m/s"),
        (scaled("speed_mps", 2.3), "by their speed_mps, but .* by their xy_m"),
        (with_client("client_xy_m", (3, 0, 1), 300.0), "client 0 jumps 29.* m by xy_m between the slots 2"),
        (with_client("client_position_m", (slice(4, None), 2), -9e3), "client 2 jumps .* by position_m between the sl"),
        (scaled("position_m", 2.2), "by their position_m, but .* along axis_xy_m by their xy_m, 2.2 times as"),
        (scaled("position_m", -1.0), "100 % of the steps .* the other way by position_m"),
        (scaled("speed_mps", -1.0), "100 % of the steps .* the other way by speed_mps"),
    ],
)  # fmt: skip
def test_traffic_with_a_mistake_is_refused(change: Change, message: str) -> None:
    with pytest.raises(TrafficError, match=message):
        next(checked_blocks(Mine(change), 0, SHAPE, start=0))


def test_a_single_vehicle_in_degrees_is_refused_and_a_parked_one_is_not() -> None:
    one = shape(1, 0)
    moving = next(StraightMobility().blocks(0, one))
    degrees = replace(moving, client_xy_m=moving.client_xy_m * 1e-5, client_speed_mps=moving.client_speed_mps * 1e-5)
    with pytest.raises(TrafficError, match="degrees or kilometres"):
        check_block(degrees, ROAD, one)
    parked = map_arrays(lambda a: np.broadcast_to(a[:1], a.shape), moving)
    check_block(replace(parked, client_speed_mps=0.0 * moving.client_speed_mps), ROAD, one)


@pytest.mark.parametrize("come_and_go", [False, True])
@pytest.mark.parametrize("mobility", [StraightMobility(), ReplayMobility("two-way-road"), ReplayMobility("motorway")])
def test_the_traffic_of_this_package_passes(mobility: Any, come_and_go: bool) -> None:
    of = shape(7, 5, slots=30, come_and_go=come_and_go)
    assert len(list(islice(checked_blocks(mobility, 0, of, start=0), 20))) == 20


def without(member: str) -> Any:
    return type("Mine", (), {name: of for name, of in vars(Mine).items() if name != member})


class NoStart(Mine):
    def blocks(self, seed: int, shape: EpisodeShape) -> Any: ...


@pytest.mark.parametrize(
    ("mobility", "message"),
    [
        ({"road": ROAD}, "got {'road': .*which lacks blocks, close, road"),
        (without("blocks")(), "which lacks blocks"),
        (without("close")(), "which lacks close"),
        (Mine, "must be an object, Mine"),
        (NoStart(), r"blocks of mobility must be a function \(seed, shape, \*, start\), got one with \(seed"),
        (Mine(road={"name": "x"}), "road of mobility: it must be a vec_envs.mobility.Road, got dict"),
        (Mine(road=replace(ROAD, range_m=float("inf"))), "range_m must be a finite number above 0"),
        (Mine(road=replace(ROAD, rsu_xyz_m=(0.0, np.nan, 1.0))), "must be places"),
    ],
)
def test_an_object_without_what_is_asked_of_it_is_refused(mobility: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(mobility)


def test_blocks_must_be_an_iterator() -> None:
    class Nothing(Mine):
        def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Any:
            return None

    with pytest.raises(TrafficError, match="must return an iterator of TrafficBlock, got NoneType"):
        factory_of("VEC-DNNPartition-v0").joint_env(mobility=Nothing()).reset(seed=0)


THEIRS = """
from vec_envs.mobility import ReplayMobility, StraightMobility
def wide(): return StraightMobility(range_m=900.0)
def of(scenario="motorway"): return ReplayMobility(scenario)
def needy(roads): ...
def broken(): return 1 / 0
def none(): return None
OBJECT = StraightMobility()
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentFactory:
    """Returns a factory of environments, with a module `theirs_of_mobility` in the working directory."""
    (tmp_path / "theirs_of_mobility.py").write_text(THEIRS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return factory_of("VEC-TaskDiversion-v0")


def test_a_mobility_is_named_on_the_command_line(theirs: EnvironmentFactory) -> None:
    assert theirs.traffic(mobility="theirs_of_mobility:wide").road.range_m == 900.0
    assert theirs.traffic(mobility="theirs_of_mobility:wide", scenario=theirs.default_scenario).road.range_m == 900.0
    assert theirs.traffic(mobility="theirs_of_mobility:of").road.name == "motorway"
    assert theirs.traffic(mobility="theirs_of_mobility:of", scenario="arterial").road.name == "arterial"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mobility": "theirs_of_mobility:absent"}, "cannot be imported: AttributeError"),
        ({"mobility": "nowhere_at_all:wide"}, "cannot be imported: ModuleNotFoundError"),
        ({"mobility": "theirs_of_mobility.py:wide"}, "cannot be imported"),
        ({"mobility": "theirs_of_mobility:"}, "must be given as package.module:name"),
        ({"mobility": "theirs_of_mobility:OBJECT"}, "must name a function or class .*, got StraightMobility"),
        (
            {"mobility": "theirs_of_mobility:needy"},
            r"must be a function \(\), got one with \(roads\): missing .* 'roads'",
        ),
        (
            {"mobility": "theirs_of_mobility:wide", "scenario": "motorway"},
            r"must be a function \(\*, scenario\), got one with \(\)",
        ),
        ({"mobility": "theirs_of_mobility:broken"}, "failed: ZeroDivisionError"),
        ({"mobility": "builtins:dict"}, "makes must be an object with road, blocks and close"),
        ({"mobility": "theirs_of_mobility:none"}, "makes must be an object with road, blocks and close"),
    ],
)
def test_a_name_that_makes_no_mobility_is_refused(
    theirs: EnvironmentFactory, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        theirs.traffic(**options)


def test_a_road_is_checked_in_a_problem(theirs: EnvironmentFactory) -> None:
    assert isinstance(theirs.traffic(mobility=Mine()).road, Road)
