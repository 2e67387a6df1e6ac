"""Tries outside clients on this project, each in an environment of its own, and prints which passed.

    python tests/clients/run.py                    every client
    python tests/clients/run.py rllib agilerl      some clients
    python tests/clients/run.py lowest             the fast tests, with the lowest versions that `pyproject.toml` allows

A client is a file `requirements/<name>.txt`. Its tests are in `test_<name>.py`; what follows a hyphen in the name is
a release: `pettingzoo-1.24.txt` is tried by `test_pettingzoo.py`. The environments are made in a temporary folder. An
environment with torch needs about 2 GB and several minutes. This script runs by hand or weekly, not in `.ci/run`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REQUIREMENTS = {file.stem: file for file in sorted((HERE / "requirements").glob("*.txt"))}
LOWEST = "lowest"
LOWEST_TESTS = ("core", "interfaces", "mobility", "physics", "problems")
LOWEST_EXTRAS = ("sumo", "render", "convex", "genetic")
"""Extras without torch: old releases of torch have no CPU builds on the Python Package Index."""
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short")


def main(arguments: Sequence[str] | None = None) -> int:
    """Tries the clients; returns 1 where one failed, otherwise 0."""
    names = [*REQUIREMENTS, LOWEST]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"any of {', '.join(names)}; all if none is given")
    clients = parser.parse_args(arguments).clients or names
    if unknown := sorted(set(clients) - set(names)):
        parser.error(f"there is no client {', '.join(unknown)}; there are {', '.join(names)}")
    rows = [(client, *_tried(client)) for client in clients]
    width = 2 + max(len(versions) for _, versions, _ in (("", "versions", ""), *rows))
    print(f"\n{'client':22}{'versions':{width}}result")
    for client, versions, result in rows:
        print(f"{client:22}{versions:{width}}{result}")
    return int(any(not result.startswith("passed") for *_, result in rows))


def _tried(client: str) -> tuple[str, str]:
    """Returns the versions that were installed for a client, and the result of its tests."""
    print(f"--- {client}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vec-envs-client-") as folder:
        python = _environment(Path(folder))
        try:
            _install(python, Path(folder), client)
        except subprocess.CalledProcessError as error:
            return "", f"not installed: pip ended with {error.returncode}"
        versions = _versions(python, client)
        return versions, _tested(python, client)


def _environment(folder: Path) -> Path:
    """Makes a virtual environment; returns its Python."""
    venv.create(folder / "venv", with_pip=True)
    return folder / "venv" / "bin" / "python"


def _install(python: Path, folder: Path, client: str) -> None:
    """Installs the client, this project and pytest."""
    if client == LOWEST:
        pins = _lowest(python, folder)
        _run(python, "-m", "pip", "install", "-q", "-r", str(pins))
        _run(python, "-m", "pip", "install", "-q", "--no-deps", "-e", str(ROOT))
    else:
        _run(python, "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS[client]), "-e", str(ROOT), "pytest")


def _lowest(python: Path, folder: Path) -> Path:
    """Returns a file of requirements with the lowest version of each direct requirement, found by `uv`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    testing = [r for r in extras["test"] if r.startswith(("pytest>", "hypothesis", "beartype", "scipy"))]
    wanted = [*project["dependencies"], *(r for extra in LOWEST_EXTRAS for r in extras[extra]), *testing]
    (folder / "direct.in").write_text("\n".join(wanted))
    pins = folder / "lowest.txt"
    _run(python, "-m", "pip", "install", "-q", "uv")
    compile_command = ("-m", "uv", "pip", "compile", "-q", "--resolution", "lowest-direct")
    _run(python, *compile_command, str(folder / "direct.in"), "-o", str(pins))
    return pins


def _versions(python: Path, client: str) -> str:
    """Returns the versions that stand in a client's requirements, as they were installed."""
    if client == LOWEST:
        names = ["gymnasium", "pettingzoo", "numpy", "jaxtyping", "libsumo"]
    else:
        lines = REQUIREMENTS[client].read_text().split()
        names = [line.partition("=")[0].partition("[")[0] for line in lines]
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {names}), sep=', ')"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _tested(python: Path, client: str) -> str:
    """Returns the last line of the client's tests, after "passed: " or "failed: "."""
    if client == LOWEST:
        tests = ["-m", "not slow", *(str(ROOT / "tests" / folder) for folder in LOWEST_TESTS)]
    else:  # the project's conftest.py needs packages that clients do not have
        tests = ["--noconftest", str(HERE / f"test_{client.partition('-')[0]}.py")]
    ran = subprocess.run([python, *PYTEST, *tests], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
    print(ran.stdout, flush=True)
    last = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else "no output"
    return f"{'passed' if ran.returncode == 0 else 'failed'}: {last}"


def _run(python: Path, *arguments: str) -> None:
    subprocess.run(
        [python, *arguments], check=True, cwd=ROOT, env={**os.environ, "VIRTUAL_ENV": str(python.parents[1])}
    )


if __name__ == "__main__":
    sys.exit(main())
