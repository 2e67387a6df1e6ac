"""The picture of a profile: the work of each layer, and the data that each cut sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vec_envs.dnn.profile import DNNProfile
from vec_envs.validation import missing_extra

MOST_LABELS = 60
"""The largest number of layers whose names are shown."""


def write_plot(profile: DNNProfile, path: Path) -> None:
    """Draws a profile to a file, whose ending says the format.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: The format is unknown.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(missing_extra("--plot", "matplotlib", "render")) from error
    figure = Figure(figsize=(min(16.0, max(6.4, 0.22 * profile.num_layers)), 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    work, data = figure.subplots(2, 1, sharex=True)
    cuts = np.arange(profile.num_layers + 1)
    work.bar(cuts[1:], [layer.gflops for layer in profile.layers], color="#4477aa")
    work.set_ylabel("work of the layer (Gflop)")
    work.set_title(f"{profile.name}: {profile.local_gflops[-1]:.3g} Gflop in {profile.num_layers} layers", loc="left")
    data.bar(cuts[:-1], profile.cut_mbit[:-1], color="#ccbb44")
    data.set_ylabel("sent by a cut after it (Mbit)")
    _label(data, profile)
    try:
        figure.savefig(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be drawn: {error}") from error


def _label(axes: Any, profile: DNNProfile) -> None:
    names = ["(input)", *(layer.name for layer in profile.layers)]
    step = -(-len(names) // MOST_LABELS)
    shown = range(0, len(names), step)
    labels = [names[i] if len(names[i]) <= 24 else f"...{names[i][-21:]}" for i in shown]
    axes.set_xticks(list(shown), labels, rotation=90, fontsize=8)
    axes.set_xlabel("layer; a cut after it sends its output")
    axes.set_xlim(-0.6, len(names) - 0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
