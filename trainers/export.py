"""Exports the learned policy of a run: `python -m trainers.export RUN_DIR FOLDER`.

A checkpoint holds everything that a run needs to continue exactly, such as the replay buffer and the optimisers. The
weights of the policy's network are a few percent of it. The exported folder can be evaluated and verified like the run,
but it cannot be trained further.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from trainers.loop.evaluation import learned_policy, load_run
from trainers.runs.checkpoints import EXPORTED
from trainers.runs.directory import CHECKPOINT, METRICS, RunDirectory, replace_file
from trainers.runs.env_options import problem_of
from vec_envs.command_parser import CommandParser


def export(path: Path, to: Path) -> Path:
    """Writes the configuration, the metrics and the policy of a run to a new folder.

    Args:
        path: The folder of the run.
        to: The folder to write; it must not hold a run.

    Returns:
        The path of the exported checkpoint.

    Raises:
        FileNotFoundError: There is no run in `path`.
        FileExistsError: There is a run in `to`. This and a folder that cannot be written are found first.
        ValueError: The run cannot be read.
    """
    directory = RunDirectory(to)
    directory.check_free()
    learner, run, state = load_run(path)
    policy = learned_policy(learner, run, state, problem_of(run.env_id, asdict(run.env)))
    directory.create(RunDirectory(path).config())
    replace_file(to / METRICS, (path / METRICS).read_bytes())
    directory.save_checkpoint({"round": state["round"], EXPORTED: policy.network.state_dict()})
    return to / CHECKPOINT


def main(arguments: list[str] | None = None) -> None:
    """Exports the run of the command line."""
    parser = CommandParser(
        prog="python -m trainers.export",
        description="Exports the learned policy of a run, without the state that only training needs.",
    )
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    options = parser.parse_args(arguments)
    try:
        written = export(options.run, options.folder)
    except (OSError, ValueError) as error:
        sys.exit(f"trainers.export: {error}")
    print(f"written to {written}: {written.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
