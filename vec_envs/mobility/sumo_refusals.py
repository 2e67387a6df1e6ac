"""What to do where SUMO refuses the files of a scenario."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

_EDGE = re.compile(r"\b(?:edge|lane)\b.*not known", re.IGNORECASE)
_UNDEFINED = re.compile(r"(?:not known|unknown|not declared|not defined)\b", re.IGNORECASE)


def undefined_in(said: str) -> Literal["network", "files", ""]:
    """Returns where a message of SUMO misses a definition; "" where it says something else."""
    if not _UNDEFINED.search(said):
        return ""
    return "network" if _EDGE.search(said) else "files"


def advice(said: str, settings: dict[str, Any]) -> str:
    """Returns what to do about a message of SUMO, as the end of a sentence; "" where nothing special is known."""
    where = undefined_in(said)
    if not where:
        return ""
    if where == "network":
        return "; give the network of these routes as net_file of scenario.toml"
    used = {Path(name).name for name in (*settings["route_files"], *settings["additional_files"])}
    folder = Path(settings["folder"] or ".", settings["net_file"]).parent
    found = [path.name for path in sorted(folder.glob("*.add.xml*")) if path.name not in used]
    hint = f"; {', '.join(found[:5])} beside it may define it" if found else ""
    return f"; list the file that defines it in additional_files of scenario.toml{hint}"
