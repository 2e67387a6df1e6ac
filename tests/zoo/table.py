"""The page of the zoo: what passed, how far its counts are from torch's, and why the others failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import Any

GROUPED = ("torchvision", "transformers")
"""The packages whose groups have rows of their own."""
HEAD = """# Public models that can be profiled

`DNNProfile.from_torch` was tried on models of public packages with random weights. Each profile was compared with what
`torch.utils.flop_counter.FlopCounterMode` counts when the same module runs, and with the parameters that the run reads.
CI does not repeat this. To repeat it, install the packages in an environment of their own, and run

```
python -m tests.zoo run --rows zoo.jsonl
python -m tests.zoo table --rows zoo.jsonl
```

{listed}

*Passed* means profiled, with multiply-accumulates and parameters within 1 % of torch's. *Not built* means that the
package itself could not make the model without trained weights, or without a download.
"""


LISTED = """The list holds:

- torchvision: all models that are not quantized, and the backbones of its detectors;
- timm: {timm};
- ultralytics: every configuration at its smallest scale;
- transformers: models with two layers;
- segmentation-models-pytorch: every architecture on one encoder, and U-Nets on others.

{order}"""


def render(lines: list[dict[str, Any]]) -> str:
    """Returns the page, from the lines of a file of results: models that were tried, and lists of packages."""
    rows = [line for line in lines if "name" in line]
    lists = {line["package"]: line for line in lines if "listed" in line}
    listed = _groups(
        (package, group, number) for package, of in lists.items() for group, number in of["listed"].items()
    )
    tried = _groups((row["package"], row["group"], 1) for row in rows)
    order = f"Models are tried in a random order. {_said_of_the_end(tried, listed)}"
    order = fill(order, width=120, break_on_hyphens=False)
    head = HEAD.format(listed=LISTED.format(timm=_chosen_of_timm(lists), order=order))
    return "\n".join([head, *_summary(rows, listed), *_reasons(rows), *_unknown(rows)]).rstrip() + "\n"


def _groups(numbers: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    """Returns the sum of numbers for each row of the summary: groups of two packages, and packages."""
    sums: Counter[tuple[str, str]] = Counter()
    for package, group, number in numbers:
        sums[package, group if package in GROUPED else "all"] += number
    return sums


def _chosen_of_timm(lists: Mapping[str, Mapping[str, Any]]) -> str:
    number = lists.get("timm", {}).get("of_each_family")
    return f"{number} of each source file of its models" if number else "all models"


def _said_of_the_end(tried: Counter[tuple[str, str]], listed: Counter[tuple[str, str]]) -> str:
    """Returns a sentence that says whether all listed models were tried."""
    missing = sorted({package for package, group in listed if tried[package, group] < listed[package, group]})
    if not missing and set(tried) <= set(listed):
        return f"This page holds all of them, {tried.total()} models."
    if not listed:
        return f"This page holds {tried.total()} models; how many there are was not recorded."
    return (
        f"This page holds {tried.total()} of {listed.total()} models: the run was stopped before the end of the list "
        f"({', '.join(missing)}), so shares are of those that were tried."
    )


def passed(row: dict[str, Any]) -> bool:
    """Returns whether a model was profiled and counted within 1 % of torch."""
    off = [abs(row[key]) for key in ("macs_off", "parameters_off") if row.get(key) is not None]
    return row["status"] == "passed" and all(each <= 0.01 for each in off)


def _summary(rows: list[dict[str, Any]], listed: Counter[tuple[str, str]]) -> list[str]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["package"], row["group"] if row["package"] in GROUPED else "all"].append(row)
    lines = [
        "| package | group | listed | tried | built | passed | share | largest difference of work, of parameters "
        "| layers, median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (package, group), tried in groups.items():
        built = [row for row in tried if row["status"] != "not built"]
        good = [row for row in built if passed(row)]
        share = f"{len(good) / len(built):.0%}" if built else ""
        layers = sorted(row["layers"] for row in good)
        off = ", ".join(f"{max((abs(row[key] or 0.0) for row in good), default=0.0):.2%}" for key in _OFF)
        median = layers[len(layers) // 2] if layers else ""
        numbers = f"{listed[package, group] or ''} | {len(tried)} | {len(built)} | {len(good)}"
        lines.append(f"| {package} | {group} | {numbers} | {share} | {off} | {median} |")
    return [*lines, ""]


_OFF = ("macs_off", "parameters_off")


def _reasons(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["## What did not pass, and why", "", "| package | model | reason |", "|---|---|---|"]
    for row in rows:
        if not passed(row):
            lines.append(f"| {row['package']} | {row['name']} | {_reason(row)} |")
    return [*lines, ""]


def _reason(row: dict[str, Any]) -> str:
    if row["status"] == "passed":
        return f"work {row['macs_off'] or 0.0:+.1%}, parameters {row['parameters_off'] or 0.0:+.1%} from torch's"
    text = str(row["reason"])
    for folder in ("site-packages/", "lib/python3.11/"):  # the path of the reader's own environment says nothing
        head, found, tail = text.partition(folder)
        text = f"{head.rpartition(' ')[0]} {tail}" if found else text
    text = text.replace("|", "\\|").replace("\n", " ")
    return ("not built: " if row["status"] == "not built" else "") + text[:260]


def _unknown(rows: list[dict[str, Any]]) -> list[str]:
    named = [(row, message) for row in rows for message in row.get("unknown", [])]
    if not named:
        return []
    lines = ["## Models with work that is named in a warning", "", "| package | model | operations |", "|---|---|---|"]
    for row, message in named:
        operations = sorted(
            {part.split(" in ")[0] for part in message.split("counted as 0: ")[1].split("; ")[0].split(", ")}
        )
        lines.append(f"| {row['package']} | {row['name']} | {', '.join(operations)} |")
    return lines
