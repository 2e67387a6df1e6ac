"""A user's own source of traffic: an object, or the name "package.module:factory" of a function that makes it."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from typing_extensions import get_protocol_members

from vec_envs.importing import import_source
from vec_envs.mobility.axis import check_units
from vec_envs.mobility.block_checks import is_own
from vec_envs.mobility.traffic import Mobility, Road
from vec_envs.validation import check_callable, check_not_negative, check_positive, check_takes, shown


def imported_mobility(source: str, *, scenario: str | Path | None) -> Mobility:
    """Returns the mobility that a function or class makes, which is imported by its name.

    Args:
        source: "package.module:factory". The working directory is searched last.
        scenario: Passed to the factory by keyword; None calls it without arguments.

    Raises:
        ValueError: The name has another form or cannot be imported. The factory fails, takes no `scenario`, or makes
            something else.
    """
    factory = import_source(source, "mobility")
    if not callable(factory):
        raise ValueError(
            f"mobility={source!r} must name a function or class that makes a Mobility object, got "
            f"{type(factory).__name__}: write a function that returns it"
        )
    given = {} if scenario is None else {"scenario": scenario}
    check_takes(keywords=tuple(given), **{f"the factory of mobility={source!r}": factory})
    try:
        made: Any = factory(**given)
    except Exception as error:
        raise ValueError(f"the factory of mobility={source!r} failed: {type(error).__name__}: {error}") from error
    check_mobility(made, f"what mobility={source!r} makes")
    return made


def check_mobility(mobility: object, name: str = "mobility") -> None:
    """Raises `ValueError` for an object that lacks a member of `Mobility`, or whose `road` is no valid `Road`."""
    if isinstance(mobility, type):
        raise ValueError(f"{name} must be an object, {mobility.__name__}(...), got the class {mobility.__name__}")
    lacking = sorted(member for member in get_protocol_members(Mobility) if not hasattr(mobility, member))
    if lacking:
        raise ValueError(
            f"{name} must be an object with road, blocks and close, as vec_envs.mobility.Mobility says; got "
            f"{shown(mobility)}, which lacks {', '.join(lacking)}"
        )
    of = cast(Mobility, mobility)
    if is_own(of):
        return
    check_callable(**{f"{member} of {name}": getattr(of, member) for member in ("blocks", "close")})
    check_takes("seed", "shape", keywords=("start",), **{f"blocks of {name}": of.blocks})
    try:
        _check_road(of.road)
    except (TypeError, ValueError) as error:
        raise ValueError(f"road of {name}: {error}") from error


def _check_road(road: Any) -> None:
    """Raises `ValueError` or `TypeError` where a value is not a road with finite numbers."""
    if not isinstance(road, Road):
        raise ValueError(f"it must be a vec_envs.mobility.Road, got {type(road).__name__}")
    check_positive(range_m=road.range_m)
    check_not_negative(speed_limit_mps=road.speed_limit_mps)
    units = (road.rsu_xyz_m, *road.units_xyz_m)
    if not all(len(unit) == 3 and all(map(math.isfinite, unit)) for unit in units):
        raise ValueError(f"rsu_xyz_m and units_xyz_m must be places (x, y, z), got {shown(units)}")
    axis = road.axis_xy_m
    if not all(len(point) == 2 and all(map(math.isfinite, point)) for point in axis):
        raise ValueError(f"axis_xy_m must be points (x, y), got {shown(axis)}")
    if len(axis) == 1 or any(tuple(one) == tuple(other) for one, other in pairwise(axis)):
        raise ValueError(
            f"axis_xy_m must have none or several points, each different from the one before, got {shown(axis)}"
        )
    check_units(road)
