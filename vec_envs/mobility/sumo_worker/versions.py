"""The version of SUMO that runs, asked of the simulator itself: the installed package may say another one."""

from __future__ import annotations

import subprocess
from typing import Any

from .simulators import WorkerError, program_path


def version(backend: str) -> str:
    """Returns what SUMO says of itself, such as "SUMO 1.28.0". Raises `WorkerError` where it cannot run."""
    if backend == "libsumo":
        try:
            import libsumo
        except ImportError as error:
            raise WorkerError(f"libsumo cannot run: {error}") from error
        simulation: Any = libsumo.simulation
        return str(simulation.getVersion()[1])
    command = [program_path("sumo-gui" if backend == "traci-gui" else "sumo"), "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise WorkerError(f"{command[0]} cannot run: {error}") from error
    return next(iter(said.splitlines()), "").strip()
