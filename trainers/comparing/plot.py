"""The plot of compared runs: learning curves with bands over seeds, and the final evaluation beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainers.comparing.runs import Curve
from trainers.runs.directory import replace_file
from trainers.runs.tables import label
from vec_envs.files import check_output_file
from vec_envs.validation import missing_extra

ENDINGS = (".png", ".svg", ".pdf")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7f3c8d", "#000000")
_GREY = "#555555"
_STYLES = ("-", "--", "-.", ":")
_FIRST = 0.1
"""The first part of a training, whose points may be outside the plot: they can be far away from the others."""


@dataclass(frozen=True, kw_only=True)
class Final:
    """The final values of a policy: one for each seed, or one of a reference."""

    name: str
    values: tuple[float, ...]


def check_plot(path: Path) -> None:
    """Raises an error before any work, where no plot could be written to this path.

    Raises `ValueError` for an unknown ending, `OSError` for a folder or one that cannot be written, and `ImportError`
    naming the extra where matplotlib is missing.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"--output must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, got {str(path)!r}")
    _figure_type()
    check_output_file(path)


def _figure_type() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(missing_extra("a plot", "matplotlib", "render")) from error
    return Figure


def write_plot(
    path: Path,
    curves: Sequence[Curve],
    *,
    metric: str,
    unit: str,
    window: int,
    baseline: Final | None,
    finals: Sequence[Final],
) -> None:
    """Writes the plot.

    Args:
        path: The file.
        curves: A learning curve for each group of runs.
        metric: The name of the metric of the curves.
        unit: Its unit.
        window: The number of rounds of the curves' moving average.
        baseline: A reference to draw as a line across the curves; None for none.
        finals: The final values of the groups, to draw beside the curves; none where there is no evaluation.
    """
    figure = _figure_type()(figsize=(10.5 if finals else 7.5, 4.6), facecolor="white", layout="constrained")
    axes = figure.subplots(1, 2 if finals else 1, squeeze=False, width_ratios=(3, 2) if finals else (1,))[0]
    what = f"{label(metric)} [{unit}]" if unit else label(metric)
    looks = {
        curve.name: (_COLOURS[k % len(_COLOURS)], _STYLES[k // len(_COLOURS) % len(_STYLES)])
        for k, curve in enumerate(curves)
    }
    _draw_curves(axes[0], curves, looks, baseline)
    axes[0].set(xlabel=f"training episodes (moving average of {window} rounds)" if window > 1 else "training episodes")
    axes[0].set_ylabel(what)
    axes[0].set_title("training, with exploration; band: range over seeds", loc="left", fontsize=10)
    if finals:
        _draw_finals(axes[1], finals, looks, baseline)
        axes[1].set_xlabel(what)
        axes[1].set_title("held-out episodes, a dot a seed", loc="left", fontsize=10)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", frameon=False, fontsize=9)
    for of in axes:
        of.spines[["top", "right"]].set_visible(False)
        of.grid(alpha=0.25)
    _save(figure, path)


def _draw_curves(
    axes: Any, curves: Sequence[Curve], looks: Mapping[str, tuple[str, str]], baseline: Final | None
) -> None:
    for curve in curves:
        colour, style = looks[curve.name]
        axes.fill_between(curve.episodes, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(curve.episodes, curve.mean, style, color=colour, linewidth=1.8, label=curve.name)
    bounds = [bound[round(_FIRST * len(bound)) :] for curve in curves for bound in (curve.low, curve.high)]
    values = np.concatenate([bound[np.isfinite(bound)] for bound in bounds])
    if baseline is not None:
        axes.axhline(baseline.values[0], color=_GREY, linewidth=1.2, linestyle=(0, (4, 3)), label=baseline.name)
        values = np.append(values, baseline.values)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if high > low:
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def _draw_finals(
    axes: Any, finals: Sequence[Final], looks: Mapping[str, tuple[str, str]], baseline: Final | None
) -> None:
    for row, final in enumerate(finals):
        colour = looks[final.name][0]
        axes.plot(final.values, [row] * len(final.values), "o", color=colour, markersize=6, alpha=0.8)
        axes.plot([np.mean(final.values)] * 2, [row - 0.25, row + 0.25], color=colour, linewidth=2.5)
    if baseline is not None:
        axes.axvline(baseline.values[0], color=_GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=5)
    axes.set_ylim(len(finals) - 0.5, -0.5)


def _save(figure: Any, path: Path) -> None:
    import io

    import matplotlib as mpl

    written = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "vec-envs"}):
        figure.savefig(written, format=path.suffix.lower()[1:], dpi=150)
    replace_file(path, written.getvalue())
