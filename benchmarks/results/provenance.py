"""The code and the machine that made a result."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import Any

import vec_envs
from trainers.runs import provenance as checkout
from vec_envs.mobility.origin import version_of_traffic


@cache
def provenance() -> dict[str, Any]:
    """Returns the version and commit of the code, and the kind of machine, without its name."""
    packages = ("torch", "tianshou", "numpy", "libsumo")
    return {
        "version": vec_envs.__version__,
        "commit": checkout.commit(),
        "dirty": checkout.is_changed(),
        "machine": {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": sys.version.split()[0]} | {name: _version(name) for name in packages},
    }


def traffic_version(env: Mapping[str, Any]) -> str | None:
    """Returns the version of SUMO that makes the traffic of an environment's options; None for other traffic."""
    given = {name: env[name] for name in ("mobility", "scenario", "sumo_backend") if name in env}
    return version_of_traffic(**{"mobility": "", "scenario": "", **given})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
