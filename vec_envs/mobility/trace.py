"""Traffic of a converted trace, for `mobility="trace"`: a file made by `python -m sumo_scenarios.convert`."""

from __future__ import annotations

from pathlib import Path

from vec_envs.mobility.replay import ReplayMobility

RAW = (".csv", ".tsv", ".txt", ".xml", ".gz", ".json", ".parquet")
"""The endings of files that have to be converted first."""


def trace_mobility(file: str | Path) -> ReplayMobility:
    """Returns the mobility of a converted trace.

    Raises `ValueError` where there is no such file, or where it has not been converted, and `TrafficError` where it is
    damaged.
    """
    path = Path(file)
    if not path.is_file():
        raise ValueError(
            'with mobility="trace", scenario must be the path of a file that python -m sumo_scenarios.convert has '
            f"written, such as city.npz; got {str(file)!r}"
        )
    check_converted(path)
    return ReplayMobility(path)


def check_converted(file: str | Path) -> None:
    """Raises `ValueError` for a trace as somebody measured it."""
    if Path(file).suffix.lower() in RAW and Path(file).is_file():
        raise ValueError(
            f"{file} is a trace that has not been converted: run python -m sumo_scenarios.convert {file}, and give the "
            ".npz file that it writes"
        )
