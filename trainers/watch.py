"""Shows an episode: `python -m trainers.watch RUN_DIR --output FILE`, or `--policy NAME` for a reference policy.

FILE ends in .html for a page with a player that works offline, in .mp4 for a video, or in .gif. Torch is imported after
the command line is read.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from trainers.runs.directory import replace_file
from trainers.runs.env_options import env_options_type
from trainers.runs.options import VALIDATION_SEED
from trainers.runs.tables import label, shown
from trainers.watching.episode import Episode, play_episode
from trainers.watching.files import WRITERS, check_output
from trainers.watching.page import page
from vec_envs.command_parser import CommandParser
from vec_envs.interfaces.rendering import RENDER_FPS
from vec_envs.mobility import TrafficError
from vec_envs.problems.policy import Policy
from vec_envs.registration import factory_of
from vec_envs.validation import check_integer, check_positive

DEFAULT_ENV_ID = "VEC-DNNPartition-v0"
IN_TURN_FPS = 10
"""Default pictures a second where agents decide one at a time, because a slot then has several pictures."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A policy to play, and its environment."""

    name: str
    env_id: str
    env: Mapping[str, Any]
    make: Callable[[Any], Policy]


def watch(
    watched: Watched, output: Path, *, seed: int, fps: float | None, frames: int | None, width: int | None
) -> Episode:
    """Plays an episode, writes the file that shows it, and returns the episode.

    Args:
        watched: The policy and its environment.
        output: The file; its ending gives its kind.
        seed: The seed of the episode.
        fps: Pictures a second of a video or GIF; None for the default.
        frames: The largest number of pictures; None for the whole episode.
        width: The width of a video or GIF in pixels; None for that of the pictures.

    Raises:
        ValueError: The policy or an option does not fit the environment.
        TrafficError: The traffic cannot serve the episode.
    """
    write = WRITERS.get(output.suffix.lower())
    mode = None if write is None else "rgb_array"
    env = factory_of(watched.env_id).vector_env(num_envs=1, render_mode=mode, **watched.env)
    fps = fps or (IN_TURN_FPS if env.problem.one_at_a_time else RENDER_FPS)
    episode = play_episode(env, watched.make, seed=seed, draws=write is not None, most_pictures=frames)
    if write is not None:
        write(output, episode.pictures, frames_per_s=fps, width=width)
    else:
        recording = {**(episode.recording or {}), "case": watched.env_id, "policy": watched.name}
        title = f"{watched.name} on {watched.env_id.rpartition(':')[2]}"
        about = f"Episode with seed {seed} on the road {episode.road}: {summary(episode)} per decision on average."
        replace_file(output, page(title, about, [recording]))
    return episode


def summary(episode: Episode) -> str:
    """Returns the means of an episode's metrics as text."""
    return ", ".join(f"{label(name)} {shown(value, unit)}" for name, value, unit in episode.metrics)


def of_run(path: Path, arguments: Sequence[str]) -> Watched:
    """Returns the learned policy of a run, in the run's environment with the options of the command line."""
    from trainers.loop.evaluation import learned_policy, load_run
    from trainers.runs.compute import set_up_torch

    learner, run, state = load_run(path)
    set_up_torch(run.threads)
    return Watched(
        name=f"{learner.name} ({run.preset}, seed {run.seed})",
        env_id=run.env_id,
        env=_env_options(run.env, arguments),
        make=lambda problem: learned_policy(learner, run, state, problem),
    )


def of_reference(name: str, env_id: str, arguments: Sequence[str]) -> Watched:
    """Returns a reference policy, in its environment with the options of the command line."""
    factory = factory_of(env_id)
    reference = factory.references.named(name)
    options = _env_options(env_options_type(factory)(), arguments)
    return Watched(name=name, env_id=env_id, env={**options, **reference.env}, make=reference.make)


def _env_options(default: Any, arguments: Sequence[str]) -> dict[str, Any]:
    """Returns an environment's options, where `--env.NAME VALUE` of the command line replaces the defaults."""
    if not arguments:
        return dataclasses.asdict(default)
    typed = dataclasses.make_dataclass("Options", [("env", type(default), default)], frozen=True, kw_only=True)
    parsed: Any = tyro.cli(typed, prog="python -m trainers.watch", args=list(arguments))
    return dataclasses.asdict(parsed.env)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m trainers.watch",
        description="Plays an episode, and writes it as a page with a player, a video or a GIF. Options of the "
        "environment have the form --env.NAME VALUE, such as --env.mobility replay; give them after RUN_DIR.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("--policy", metavar="NAME", help="a reference policy, instead of a run")
    parser.add_argument("--env-id", help=f"the environment of --policy (default: {DEFAULT_ENV_ID})")
    seed_help = "seed of the episode (default: %(default)s)"
    parser.add_argument("--episode", type=int, default=VALIDATION_SEED, metavar="SEED", help=seed_help)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="file to write: .html, .mp4 or .gif")
    fps_help = "pictures a second of .mp4 and .gif (default: 4, or 10 where agents decide one at a time)"
    parser.add_argument("--fps", type=float, help=fps_help)
    parser.add_argument("--frames", type=int, help="largest number of pictures of .mp4 and .gif (default: all)")
    parser.add_argument("--width", type=int, help="width of .mp4 and .gif in pixels (default: 1100)")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Plays the episode of the command line and writes its file; exits with a message where that is not possible."""
    parser = _parser()
    own, rest = _split(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(own)
    if (options.run is None) == (options.policy is None):
        parser.error("give either RUN_DIR, the folder of a run, or --policy NAME, a reference policy")
    if options.run is not None and options.env_id is not None:
        parser.error("--env-id is for --policy; a run has its own environment")
    try:
        _check(options)
        watched = (
            of_run(options.run, rest)
            if options.run is not None
            else of_reference(options.policy, options.env_id or DEFAULT_ENV_ID, rest)
        )
        chosen = {name: getattr(options, name) for name in ("fps", "frames", "width")}
        episode = watch(watched, options.output, seed=options.episode, **chosen)
    except (ImportError, NotImplementedError, OSError, RuntimeError, TrafficError, TypeError, ValueError) as error:
        sys.exit(f"trainers.watch: {error}")
    print(f"{watched.name} on {watched.env_id}, episode {options.episode}: {summary(episode)}")
    print(f"written to {options.output}")


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the command's own arguments, and those of the environment: `--env.NAME` with all values behind it."""
    own, of_env = list[str](), list[str]()
    into = own
    for argument in arguments:
        if argument.startswith("--"):
            into = of_env if argument.startswith("--env.") else own
        into.append(argument)
    return own, of_env


def _check(options: argparse.Namespace) -> None:
    """Raises an error for a wrong option, before any work."""
    check_integer(0, episode=options.episode)
    for name in ("frames", "width"):
        if getattr(options, name) is not None:
            check_integer(1, **{name: getattr(options, name)})
    if options.fps is not None:
        check_positive(fps=options.fps)
    check_output(options.output)


if __name__ == "__main__":
    main()
