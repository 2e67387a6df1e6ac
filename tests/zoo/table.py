"""The page of the zoo: what passed, how far its counts are from torch's, and why the others failed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

HEAD = """# Public models that can be profiled

`DNNProfile.from_torch` was tried on models of public packages with random weights. Each profile was compared with what
`torch.utils.flop_counter.FlopCounterMode` counts when the same module runs, and with the parameters that the run reads.
CI does not repeat this. To repeat it, install the packages in an environment of their own, and run

```
python -m tests.zoo run --rows zoo.jsonl
python -m tests.zoo table --rows zoo.jsonl
```

What is listed: of torchvision all models that are not quantized, and of its detectors the backbones; of timm {timm} of
each source file of its models; of ultralytics every configuration at its smallest scale; of transformers models with
two layers; of segmentation-models-pytorch every architecture on one encoder, and U-Nets on others. Models are tried in
a random order. This page holds {tried} models: its run was stopped before the end of the list, so shares are of those
that were tried.

*Passed* means profiled, with multiply-accumulates and parameters within 1 % of torch's. *Not built* means that the
package itself could not make the model without trained weights, or without a download.
"""


def render(rows: list[dict[str, Any]], *, of_each_family: int) -> str:
    """Returns the page."""
    parts = [HEAD.format(timm=of_each_family or "all", tried=len(rows)), *_summary(rows), *_reasons(rows)]
    return "\n".join([*parts, *_unknown(rows)]).rstrip() + "\n"


def passed(row: dict[str, Any]) -> bool:
    """Returns whether a model was profiled and counted within 1 % of torch."""
    off = [abs(row[key]) for key in ("macs_off", "parameters_off") if row.get(key) is not None]
    return row["status"] == "passed" and all(each <= 0.01 for each in off)


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        group = row["group"] if row["package"] in ("torchvision", "transformers") else "all"
        groups[row["package"], group].append(row)
    lines = [
        "| package | group | built | passed | share | largest difference of work, of parameters | layers, median |",
        "|---|---|---|---|---|---|---|",
    ]
    for (package, group), tried in groups.items():
        built = [row for row in tried if row["status"] != "not built"]
        good = [row for row in built if passed(row)]
        share = f"{len(good) / len(built):.0%}" if built else ""
        layers = sorted(row["layers"] for row in good)
        off = ", ".join(f"{max((abs(row[key] or 0.0) for row in good), default=0.0):.2%}" for key in _OFF)
        median = layers[len(layers) // 2] if layers else ""
        lines.append(f"| {package} | {group} | {len(built)} | {len(good)} | {share} | {off} | {median} |")
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
