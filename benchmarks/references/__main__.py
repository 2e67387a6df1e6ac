"""`python -m benchmarks.references find [ENV_ID] [--suite NAME] [--case NAME]` finds and stores a case's references.

It prints a table for each case, and replaces the case's line in `benchmarks/references/found.jsonl`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.references.find import Budget, find
from benchmarks.references.store import STORE, shown, store, written
from benchmarks.suites import SUITES, suites_of
from benchmarks.suites.suite import Case


def main() -> None:
    """Finds the references of the cases of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.references", description=__doc__)
    parser.add_argument("action", choices=["find"])
    parser.add_argument("env_id", nargs="?", help="cases of this environment only")
    parser.add_argument("--suite", default="main", help="the suite of the cases (default: main)")
    parser.add_argument("--case", help="the case of this name only")
    parser.add_argument("--episodes", type=int, default=Budget.episodes, help="evaluation episodes of the seer")
    parser.add_argument("--seer-s", type=float, default=Budget.seer_s, help="CPU seconds of the seer in an episode")
    parser.add_argument("--output", type=Path, default=STORE, help="the file to write into")
    arguments = parser.parse_args()
    cases = _cases(arguments.suite, arguments.env_id, arguments.case)
    if not cases:
        names = ", ".join(repr(case.name) for case in _cases(arguments.suite, arguments.env_id, None))
        sys.exit(
            f"{arguments.case!r} is unknown; the cases of {arguments.suite} are {names or 'of other environments'}"
        )
    budget = Budget(episodes=arguments.episodes, seer_s=arguments.seer_s)
    for case in cases:
        found = find(case, budget)
        print(shown(found), flush=True)
        store(arguments.output, written(found, budget))


def _cases(suite: str, env_id: str | None, name: str | None) -> list[Case]:
    return [
        case
        for of_suite in suites_of(suite, SUITES)
        for case in of_suite.cases
        if env_id in (None, case.env_id) and name in (None, case.name)
    ]


if __name__ == "__main__":
    main()
