"""Evaluates a trained run: `python -m trainers.evaluate RUN_DIR [--episodes 32] [--seed 500000] [--slow]`.

The learned policy and the reference policies of its problem play the same held-out episodes. Torch is imported after
the command line is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainers.loop.evaluation import evaluate_run
from trainers.runs.directory import RunDirectory
from trainers.runs.options import VALIDATION_SEED
from trainers.runs.tables import print_table
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_folder
from vec_envs.mobility import TrafficError

SEED = "seed of the first episode (default: %(default)s; from 1000 on are the leaderboard's episodes)"


def main(arguments: list[str] | None = None) -> None:
    """Evaluates the run of the command line, prints the table and writes the metrics.

    The metrics go to `evaluation.json`, or to a new file beside it where `evaluation.json` holds other episodes.
    """
    parser = CommandParser(
        prog="python -m trainers.evaluate",
        description="Evaluates a trained run and the reference policies of its problem on held-out episodes.",
    )
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("--episodes", type=int, default=32, help="number of held-out episodes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=VALIDATION_SEED, help=SEED)
    parser.add_argument("--slow", action="store_true", help="also play slow references, and those that need an extra")
    options = parser.parse_args(arguments)
    if options.episodes < 1 or options.seed < 0:
        parser.error("--episodes must be at least 1 and --seed at least 0")
    try:
        check_output_folder(options.run, "RUN_DIR")
        evaluation = evaluate_run(options.run, episodes=options.episodes, seed=options.seed, slow=options.slow)
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"trainers.evaluate: {error}")
    print_table(evaluation)
    print(f"written to {RunDirectory(options.run).save_evaluation(evaluation, replace=False)}")


if __name__ == "__main__":
    main()
