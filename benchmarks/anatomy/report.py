"""Measured cases as lines of JSON, as text, and as tables on the pages of the environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.anatomy.measure import Anatomy
from benchmarks.jobs.plan import case_key, problem_of
from benchmarks.reports.pages import escaped, with_section
from benchmarks.results.case_lines import rounded
from vec_envs.registration import ENVIRONMENTS

STORE = Path(__file__).with_name("measured.jsonl")
SECTION = "anatomy"
"""The name of the measured section of a page."""
OVERVIEW = Path("results") / "what-is-hard.md"
"""The page with the tables of all environments."""


def written(anatomy: Anatomy) -> dict[str, Any]:
    """Returns what was measured for a case as JSON values."""
    case = anatomy.case
    rows = [asdict(row) for row in anatomy.rows]
    return {
        **case_key(case),
        "case": case.name,
        "policy": anatomy.policy,
        "episodes": anatomy.episodes,
        "value": rounded(anatomy.value),
        "grows": anatomy.grows,
        "rows": [{name: rounded(of) if isinstance(of, float) else of for name, of in row.items()} for row in rows],
    }


def shown(line: Mapping[str, Any]) -> str:
    """Returns a table of a case for a terminal."""
    head = f"{line['env_id']}, {line['case']}: {line['policy']} {_value(line)}"
    rows = [f"  {row['kind']:8}{row['name']:58} {_cell(row)}" for row in line["rows"]]
    return "\n".join([f"{head} ({line['metric']}, {line['episodes']} episodes from seed {line['seed']})", *rows])


def page_of(env_id: str) -> str | None:
    """Returns the name of the page of an environment of this project; None for another environment."""
    if env_id not in ENVIRONMENTS:
        return None
    return ENVIRONMENTS[env_id].rpartition(".")[2].removesuffix("_v0").replace("_", "-") + ".md"


def pages_of(lines: Sequence[Mapping[str, Any]], folder: Path) -> dict[Path, str]:
    """Returns the text of each page that shows measured cases: the pages of the environments, and the overview."""
    texts: dict[Path, str] = {}
    for env_id in dict.fromkeys(line["env_id"] for line in lines):
        name = page_of(env_id)
        if name is None:
            continue
        table = table_of([line for line in lines if line["env_id"] == env_id])
        for path, section in ((folder / name, SECTION), (folder / OVERVIEW, f"{SECTION} of {env_id}")):
            if path.exists():
                texts[path] = with_section(texts.get(path) or path.read_text(encoding="utf-8"), section, table)
    return texts


def table_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """Returns a Markdown table of cases of one environment, with a column for each case."""
    cells = [{row["name"]: _cell(row) for row in line["rows"]} for line in lines]
    first = [("policy", *(f"`{line['policy']}`" for line in lines)), ("its metric", *map(_value, lines))]
    names = dict.fromkeys(name for of in cells for name in of)
    rows = [(escaped(name), *(of.get(name, "-") for of in cells)) for name in names]
    head = ("", *(escaped(line["case"]) for line in lines))
    every = [head, ("---",) * len(head), *first, *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in every)


def _cell(row: Mapping[str, Any]) -> str:
    percent, low, high = (_percent(row[name], share=row["kind"] == "share") for name in ("percent", "low", "high"))
    return f"{percent} % [{low}, {high}]{_mark(row)}"


def _mark(of: Mapping[str, Any]) -> str:
    return ", grows" if of["grows"] else ""


def _percent(value: float, *, share: bool = False) -> str:
    if share:
        return f"{value:.1f}"
    text = f"{value:+.0f}" if abs(value) >= 99.5 else f"{value:+.1f}"
    return "0.0" if float(text) == 0.0 else text


def _value(line: Mapping[str, Any]) -> str:
    return f"`{line['metric']}` {line['value']:.4g} {_unit(line)}".rstrip() + _mark(line)


def _unit(line: Mapping[str, Any]) -> str:
    metrics = problem_of(line["env_id"], line["env"]).reported_metrics
    return next((of.unit for of in metrics if of.name == line["metric"]), "")
