"""Tries the models of public packages: `python -m tests.zoo run`, then `python -m tests.zoo table`.

Install the packages first, in an environment of their own:
pip install torchvision timm ultralytics transformers segmentation-models-pytorch
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from tests.zoo.packages import PACKAGES, cases
from tests.zoo.table import render
from tests.zoo.trial import tried
from vec_envs.files import check_output_file


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--packages", nargs="+", choices=PACKAGES, default=list(PACKAGES))
    parser.add_argument("--only", help="try the models whose name contains this")
    parser.add_argument("--of-each-family", type=int, default=2, help="timm: models of each family; 0 tries all")
    parser.add_argument("--seed", type=int, default=0, help="of the order: a run may be stopped early")
    parser.add_argument("--rows", type=Path, default=Path("zoo.jsonl"), help="the file of results, a model a line")
    parser.add_argument("--page", type=Path, default=Path("docs/zoo.md"))
    options = parser.parse_args()
    if options.command == "table":
        options.page.write_text(render([json.loads(line) for line in _lines(options.rows)]))
        return
    check_output_file(options.rows, "--rows", makes_folder=False)
    done = {(line["package"], line.get("name")) for line in map(json.loads, _lines(options.rows))}
    for package in options.packages:
        listed = cases(package, of_each_family=options.of_each_family or None)
        random.Random(options.seed).shuffle(listed)
        numbers = {"package": package, "listed": Counter(case.group for case in listed)}
        _add(options.rows, {**numbers, "of_each_family": options.of_each_family} if package == "timm" else numbers)
        for case in listed:
            if (case.package, case.name) in done or (options.only and options.only not in case.name):
                continue
            row = tried(case)
            _add(options.rows, row)
            print(row["package"], row["name"], row["status"], row.get("reason", "")[:300], row["seconds"], flush=True)


def _add(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
