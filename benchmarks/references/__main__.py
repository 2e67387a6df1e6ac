"""`python -m benchmarks.references find [ENV_ID] [--suite NAME] [--case NAME]` finds and stores a case's references.

It prints a table for each case, and replaces the case's line in `benchmarks/references/found.jsonl`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.references.find import Budget, find
from benchmarks.references.store import shown, written
from benchmarks.results.case_lines import store
from benchmarks.results.stored_references import STORE
from benchmarks.suites import cases_of
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file


def main(argv: Sequence[str] | None = None) -> None:
    """Finds the references of the cases of the command line."""
    parser = CommandParser(prog="python -m benchmarks.references", description=__doc__)
    parser.add_argument("action", choices=["find"])
    parser.add_argument("env_id", nargs="?", help="cases of this environment only")
    parser.add_argument("--suite", default="main", help="the suite of the cases (default: main)")
    parser.add_argument("--case", help="the case of this name only")
    parser.add_argument("--episodes", type=int, default=Budget.episodes, help="evaluation episodes of the seer")
    parser.add_argument("--tables-s", type=float, default=Budget.tables_s, help="CPU seconds of the search for tables")
    parser.add_argument("--seer-s", type=float, default=Budget.seer_s, help="CPU seconds of the seer in an episode")
    parser.add_argument("--output", type=Path, help="the file to write into (default: that of the case)")
    arguments = parser.parse_args(argv)
    if arguments.episodes < 1:
        parser.error(f"--episodes must be at least 1, got {arguments.episodes}")
    try:
        cases = cases_of(arguments.suite, env_id=arguments.env_id, name=arguments.case)
        for path in {arguments.output or Path(case.references or STORE) for case in cases}:
            check_output_file(path)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmarks.references: {error}")
    budget = Budget(episodes=arguments.episodes, tables_s=arguments.tables_s, seer_s=arguments.seer_s)
    for case in cases:
        found = find(case, budget)
        print(shown(found), flush=True)
        store(arguments.output or Path(case.references or STORE), written(found, budget))


if __name__ == "__main__":
    main()
