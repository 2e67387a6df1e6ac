"""`python -m vec_envs` prints what is installed, what works, and what to do where something does not.

The exit status is 1 where something hides a package of this project, or where SUMO does not start.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence

from vec_envs.command_parser import CommandParser
from vec_envs.hidden import COMMAND_PACKAGES
from vec_envs.installation import Report, report


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report; returns 1 where a required part does not work."""
    parser = CommandParser(prog="python -m vec_envs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    as_json: bool = parser.parse_args(arguments).json
    found = report()
    print(found.as_json() if as_json else "\n".join(lines(found)))
    return int(not found.sound)


def lines(found: Report) -> Iterator[str]:
    """Yields the lines of the report for a terminal."""
    yield f"VEC-Envs {found.version} in {found.folder}"
    yield f"Python {found.python} on {found.platform}"
    for package in COMMAND_PACKAGES:
        yield f"{package}: {found.hidden.get(package, 'found')}"
    yield "\nWhat works"
    for name, check in found.checks.items():
        yield f"  {'yes' if check.works else 'no ':4}{name:18}{check.says}"
        if not check.works:
            yield f"{'':24}-> {check.fix}"
    yield "\nEnvironments, with their reference policies"
    for env_id, policies in found.environments.items():
        yield f"  {env_id}"
        yield from _wrapped(", ".join(policies), " " * 6, " " * 6)
    yield ""
    for title, names in (
        ("Roads, live", found.live_roads),
        ("Roads, recorded", found.recorded_roads),
        ("Networks", found.networks),
        ("Learners", found.learners),
        ("Packages", [f"{name} {version}" for name, version in found.packages.items()]),
    ):
        yield from _wrapped(f"{title + ':':18}{', '.join(names)}", "", " " * 18)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
