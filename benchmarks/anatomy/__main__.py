"""`python -m benchmarks.anatomy [ENV_ID] [--suite NAME] [--case NAME]` measures what is hard about cases.

It prints a table for each case, and replaces the case's line in `benchmarks/anatomy/measured.jsonl`. With `--pages
FOLDER` it measures nothing, and writes the tables of all measured cases into the environments' pages in that folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.anatomy.measure import EPISODES, anatomy_of
from benchmarks.anatomy.report import STORE, pages_of, shown, written
from benchmarks.results.case_lines import lines_of, store
from benchmarks.suites import cases_of
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file, check_output_folder


def main(argv: list[str] | None = None) -> int:
    """Measures the cases of the command line, or writes or checks pages; returns 1 where a checked page differs."""
    parser = CommandParser(prog="python -m benchmarks.anatomy", description=__doc__)
    parser.add_argument("env_id", nargs="?", help="cases of this environment only")
    parser.add_argument("--suite", default="main", help="the suite of the cases (default: main)")
    parser.add_argument("--case", help="the case of this name only")
    parser.add_argument("--policy", default="", help="a reference policy (default: the best that is fast)")
    parser.add_argument("--episodes", type=int, default=EPISODES, help=f"evaluation episodes (default: {EPISODES})")
    parser.add_argument("--output", type=Path, default=STORE, help="the file of measured cases")
    parser.add_argument("--pages", type=Path, help="the folder of the pages to write the tables into")
    parser.add_argument("--check", action="store_true", help="with --pages: only check that the pages are up to date")
    arguments = parser.parse_args(argv)
    if arguments.check and arguments.pages is None:
        parser.error("--check needs --pages FOLDER")
    if arguments.episodes < 2:
        parser.error(f"--episodes must be at least 2 for an interval, got {arguments.episodes}")
    try:
        if arguments.pages is not None:
            return _pages(arguments.output, arguments.pages, check=arguments.check)
        check_output_file(arguments.output)
        cases = cases_of(arguments.suite, env_id=arguments.env_id, name=arguments.case)
        for case in cases:
            line = written(anatomy_of(case, episodes=arguments.episodes, policy=arguments.policy))
            print(shown(line), flush=True)
            store(arguments.output, line)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmarks.anatomy: {error}")
    return 0


def _pages(measured: Path, folder: Path, *, check: bool) -> int:
    """Writes the pages, or reports those that differ; returns 1 where one differs."""
    if not check:
        check_output_folder(folder, "--pages")
    pages = pages_of(lines_of(measured), folder)
    if not pages:
        raise ValueError(f"--pages must be the folder of the environments' pages, such as docs, got {folder}")
    differs = {path: text for path, text in pages.items() if path.read_text(encoding="utf-8") != text}
    for path, text in differs.items():
        if check:
            print(f"{path} differs from {measured.name}: run python -m benchmarks.anatomy --pages {folder}")
        else:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(differs))


if __name__ == "__main__":
    sys.exit(main())
