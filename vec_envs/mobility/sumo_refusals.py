"""What to do where SUMO refuses the files of a scenario."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_EDGE = re.compile(r"\b(?:edge|lane)\b.*not known", re.IGNORECASE)
_UNDEFINED = re.compile(r"(?:not known|unknown|not declared|not defined)\b", re.IGNORECASE)


def advice(said: str, settings: dict[str, Any]) -> str:
    """Returns what to do about a message of SUMO, as the end of a sentence; "" where nothing special is known."""
    if not _UNDEFINED.search(said):
        return ""
    if _EDGE.search(said):
        return "; give the network of these routes as net_file of scenario.toml"
    used = {Path(name).name for name in (*settings["route_files"], *settings["additional_files"])}
    folder = Path(settings["folder"] or ".", settings["net_file"]).parent
    found = [path.name for path in sorted(folder.glob("*.add.xml*")) if path.name not in used]
    where = f"; {', '.join(found[:5])} beside it may define it" if found else ""
    return f"; list the file that defines it in additional_files of scenario.toml{where}"
