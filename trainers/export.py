"""What plays of a trained run, without what goes on learning: `python -m trainers.export RUN_DIR FOLDER`.

A checkpoint holds everything that a run needs to go on exactly, replay and optimisers among it; the weights of the
network that plays are a few percent of that. The folder evaluates and verifies as the run does, but cannot be trained
further.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from trainers.evaluate import EXPORTED, learned_policy, load_run
from trainers.runs.directory import CHECKPOINT, METRICS, RunDirectory, replace_file
from trainers.runs.env_options import problem_of


def export(path: Path, to: Path) -> Path:
    """Writes configuration, metrics and policy of a run to a new folder, and returns its checkpoint's path.

    Raises `FileNotFoundError` where there is no run, `FileExistsError` where `to` holds one, `ValueError` where the run
    cannot be read.
    """
    learner, run, state = load_run(path)
    policy = learned_policy(learner, run, state, problem_of(run.env_id, asdict(run.env)))
    directory = RunDirectory(to)
    directory.create(RunDirectory(path).config())
    replace_file(to / METRICS, (path / METRICS).read_bytes())
    directory.save_checkpoint({"round": state["round"], EXPORTED: policy.network.state_dict()})
    return to / CHECKPOINT


def main(arguments: list[str] | None = None) -> None:
    """Exports the command line's run."""
    parser = argparse.ArgumentParser(prog="python -m trainers.export", description="Keeps what plays of a run.")
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one")
    options = parser.parse_args(arguments)
    try:
        written = export(options.run, options.folder)
    except (OSError, ValueError) as error:
        sys.exit(f"trainers.export: {error}")
    print(f"written to {written}: {written.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
