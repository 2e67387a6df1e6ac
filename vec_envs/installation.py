"""The report of `python -m vec_envs`: what is installed, what works, and how to repair the rest."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import vec_envs
from vec_envs.dnn import DNNProfile
from vec_envs.hidden import COMMAND_PACKAGES, explanation, hidden_by
from vec_envs.mobility.recording import recording_names
from vec_envs.mobility.scenario import scenario_names
from vec_envs.registration import ENVIRONMENTS, factory_of

DISTRIBUTION = "vec-envs"
PACKAGES = ("gymnasium", "pettingzoo", "numpy", "libsumo", "eclipse-sumo", "torch", "tianshou", "matplotlib", "ray")
"""Packages whose versions the report gives, where they are installed."""
NOT_FOR_USERS = ("docs", "release", "test")
"""Extras that only those who change this project need."""
TIMEOUT_S = 120.0
LIBRARIES = "apt-get install libatomic1 libx11-6 libxext6 libxrender1 libgl1"
"""Installs the system libraries that SUMO needs on a bare Debian or Ubuntu."""

_SUMO = """
from vec_envs import dnn_partition_v0
env = dnn_partition_v0.joint_env(num_client_vehicles=1, num_service_vehicles=1, episode_slots=1)
env.reset(seed=0)
env.close()
print("[]")
"""
_TORCH = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
if names:
    torch.ones(8, device="cuda").sum().item()
print(json.dumps(names))
"""
_LEARNERS = "import json; from trainers.registry import LEARNERS; print(json.dumps(sorted(LEARNERS)))"


@dataclass(frozen=True, kw_only=True)
class Check:
    """Whether something works, and how to repair it."""

    works: bool
    says: str
    """The result of the check, or the error."""
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report: versions, checks, and the names that can be used."""

    version: str
    folder: str
    """The folder of the package `vec_envs` that Python finds."""
    python: str
    platform: str
    hidden: Mapping[str, str]
    """Packages of this project that another module hides, and what to do."""
    packages: Mapping[str, str]
    """Installed packages by name, with their versions."""
    checks: Mapping[str, Check]
    environments: Mapping[str, Sequence[str]]
    """Ids, with the names of their reference policies."""
    live_roads: Sequence[str]
    recorded_roads: Sequence[str]
    networks: Sequence[str]
    learners: Sequence[str]

    @property
    def sound(self) -> bool:
        """Whether the required parts work: no package is hidden, and SUMO starts. Extras do not count."""
        return not self.hidden and self.checks["SUMO"].works

    def as_json(self) -> str:
        """Returns the report as a JSON object."""
        return json.dumps(asdict(self) | {"sound": self.sound}, indent=2)


def report() -> Report:
    """Returns the report. The slow checks run in processes of their own, so that a crash there is only reported."""
    with ThreadPoolExecutor(3) as pool:
        sumo, torch = pool.submit(_sumo), pool.submit(_torch)
        learners = pool.submit(_probed, _LEARNERS)
        checks = {"SUMO": sumo.result(), "SUMO's window": _window(), **torch.result(), **_extras()}
    names, _ = learners.result()
    hiding = {package: path for package in COMMAND_PACKAGES if (path := hidden_by(package)) is not None}
    return Report(
        version=vec_envs.__version__,
        folder=str(Path(vec_envs.__file__).parent),
        python=platform.python_version(),
        platform=platform.platform(),
        hidden={package: explanation(package, path) for package, path in hiding.items()},
        packages={name: version for name in PACKAGES if (version := _version(name))},
        checks=checks,
        environments={env_id: list(factory_of(env_id).references.policies) for env_id in ENVIRONMENTS},
        live_roads=scenario_names(),
        recorded_roads=recording_names(),
        networks=DNNProfile.library(),
        learners=names or [],
    )


def installs(extra: str) -> str:
    """Returns the command that installs an extra, in a clone or from an archive."""
    in_clone = (Path(vec_envs.__file__).parents[1] / "pyproject.toml").exists()
    return f'pip install -e ".[{extra}]"' if in_clone else f'pip install "{DISTRIBUTION}[{extra}]"'


def _probed(code: str) -> tuple[list[str] | None, str]:
    """Runs Python code that prints a JSON value; returns the value, or None and the last line of the error."""
    environ = os.environ | {"PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {TIMEOUT_S:g} s"
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return json.loads(done.stdout.splitlines()[-1]), ""


def _sumo() -> Check:
    _, error = _probed(_SUMO)
    if error:
        fix = f'{LIBRARIES}; or play recorded traffic, mobility="replay"'
        return Check(works=False, says=error, fix=fix)
    return Check(works=True, says=f"an episode was simulated with libsumo {_version('libsumo') or 'unknown'}")


def _window() -> Check:
    if find_spec("sumo") is None:
        return Check(works=False, says="sumo-gui is not installed", fix=installs("sumo"))
    if not os.environ.get("DISPLAY"):
        fix = "set DISPLAY, on a machine with a screen; nothing else needs one"
        return Check(works=False, says="sumo-gui is installed, but there is no display", fix=fix)
    return Check(works=True, says='sumo-gui is installed: sumo_backend="traci-gui"')


def _torch() -> dict[str, Check]:
    if find_spec("torch") is None:
        no = Check(works=False, says="torch is not installed; only learners need it", fix=installs("train"))
        return {"torch": no, "GPU": Check(works=False, says="torch is not installed", fix=no.fix)}
    names, error = _probed(_TORCH)
    if names is None:
        again = f"{installs('train')}, with --force-reinstall"
        return {"torch": Check(works=False, says=error, fix=again), "GPU": Check(works=False, says=error, fix=again)}
    found = Check(works=True, says=f"torch {_version('torch')}")
    if names:
        return {"torch": found, "GPU": Check(works=True, says=f"{', '.join(names)}: --device cuda")}
    fix = "not needed, because the networks are small; for a GPU install its driver and a CUDA build of torch"
    return {"torch": found, "GPU": Check(works=False, says="torch finds no GPU", fix=fix)}


def _extras() -> dict[str, Check]:
    """Returns a check for each extra of the distribution: whether all its packages are installed."""
    try:
        described = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return {}
    required = described.get_all("Requires-Dist") or []
    checks: dict[str, Check] = {}
    for extra in described.get_all("Provides-Extra") or []:
        if extra in NOT_FOR_USERS:
            continue
        of_extra = [line for line in required if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", line)]
        names = [found[0] for line in of_extra if (found := re.match(r"[\w.-]+", line))]
        missing = [name for name in names if not _version(name)]
        says = f"missing: {', '.join(missing)}" if missing else ", ".join(names)
        checks[f"extra {extra}"] = Check(works=not missing, says=says, fix=installs(extra) if missing else "")
    return checks


def _version(package: str) -> str:
    """Returns the version of an installed package; "" where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
