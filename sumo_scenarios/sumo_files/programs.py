"""SUMO's programs and tools of the `eclipse-sumo` package, run with their own words as errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vec_envs.files import shortened
from vec_envs.mobility.sumo_worker.simulators import WorkerError, program_path
from vec_envs.validation import missing_extra


class ImportRefusal(Exception):
    """A file cannot become a scenario. The message says why, and what to do."""


def sumo_home() -> Path:
    """Returns the folder of the `eclipse-sumo` package. Raises `ImportRefusal` if it is missing."""
    spec = find_spec("sumo")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if Path(folder, "tools", "randomTrips.py").is_file():
            return Path(folder)
    raise ImportRefusal(missing_extra("the command", "the programs of SUMO", "sumo"))


def run_program(name: str, arguments: Sequence[str | Path], *, folder: Path) -> None:
    """Runs a program of SUMO in a folder, or a tool if its name ends in `.py`.

    Raises `ImportRefusal` with the program's own errors if it fails.
    """
    home = sumo_home()
    command = [sys.executable, str(home / "tools" / name)] if name.endswith(".py") else [_program(name)]
    run = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "SUMO_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        raise ImportRefusal(f"{name} failed: {reason(run.stderr or run.stdout)}")


def linked(path: Path, work: Path) -> Path:
    """Returns a link to a file or folder in a folder for work. SUMO splits names at commas, and replaces `${...}`."""
    ending = "".join(path.suffixes[-3:]) if path.is_file() else ""
    link = work / f"link{len(list(work.glob('link*')))}{re.sub(r'[^a-z.]', '', ending)}"
    link.symlink_to(path.resolve())
    return link


def reason(output: str) -> str:
    """Returns the errors in a program's output, or its last lines where none is marked as an error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error")]
    return shortened(" ".join(errors[:5] or lines[-3:] or ["it gave no reason"]))


def _program(name: str) -> str:
    try:
        return program_path(name)
    except WorkerError as error:
        raise ImportRefusal(str(error)) from error
