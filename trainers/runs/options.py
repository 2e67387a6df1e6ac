"""The options of a run, and their presets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from trainers.registry import Learner
from trainers.runs.env_options import env_options_type, problem_of
from vec_envs.registration import factory_of
from vec_envs.validation import MOST_ENVIRONMENTS, check_at_most, check_integer, check_not_negative, did_you_mean

R = TypeVar("R", bound="Run")

LARGEST_SEED = 2**63
VALIDATION_SEED = 500_000
"""Seed of the first validation episode. Benchmarks alone play the evaluation episodes, whose seeds begin at 1000."""
ADJUSTABLE = ("device", "threads", "checkpoint_s", "evaluation_episodes", "evaluation_seed")
"""Options that may be changed when a run is resumed."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run. Options of the environment begin with --env., those of the learner with --learner."""

    env: Any
    """Options of the environment."""
    learner: Any
    """Options of the learner."""
    env_id: str
    """Environment to train on; one of your own as my_module:My-Env-v0, whose module is imported first."""
    preset: str = "tuned"
    """Source of the defaults: "tuned", "paper", or another preset of the learner."""
    seed: int = 0
    """Seed of all randomness: traffic, random draws, network weights, exploration and replay."""
    episodes: int = 1920
    """Training episodes over all environments, rounded up to a multiple of num_envs. With 0 nothing is trained:
    the final table shows the initial weights, or the weights of the checkpoint that --init-from names."""
    num_envs: int = 16
    """Environments that are played in parallel, at most 100,000."""
    init_from: Path | None = None
    """Start with the weights of a checkpoint: of `trainers.pretrain`, or of another run of the same learner."""
    output: Path | None = None
    """Folder to write the run to; by default a new one under runs/."""
    resume: bool = False
    """Continue the run in --output, or else the newest run under runs/, with its own options; only device, threads,
    checkpoint_s, evaluation_episodes and evaluation_seed may be changed."""
    device: str = "auto"
    """Device of torch: "auto" (CUDA where available), "cpu", "cuda", ..."""
    threads: int = 1
    """Threads of torch; 0 leaves the choice to torch. One is fastest for small networks and on a busy machine, two are
    fastest for MAD2RL alone on two cores. On a CPU, results are bit-identical for the same number of threads. With
    several threads, one is used while other programs keep the machine busy."""
    checkpoint_s: float = 60.0
    """Seconds between checkpoints."""
    evaluation_episodes: int = 32
    """Held-out episodes of the final table; 0 for no table."""
    evaluation_seed: int = VALIDATION_SEED
    """Seed of the first held-out episode. Those of the leaderboard begin at 1000: do not tune on them."""

    def __post_init__(self) -> None:
        check_integer(1, num_envs=self.num_envs)
        check_integer(0, episodes=self.episodes)
        check_at_most(MOST_ENVIRONMENTS, num_envs=self.num_envs)
        check_integer(
            0, evaluation_episodes=self.evaluation_episodes, evaluation_seed=self.evaluation_seed, seed=self.seed
        )
        for name in ("seed", "evaluation_seed"):
            if getattr(self, name) >= LARGEST_SEED:
                raise ValueError(f"{name}={getattr(self, name)} must be below 2**63, the limit of torch's seeds")
        check_integer(0, threads=self.threads)
        check_not_negative(checkpoint_s=self.checkpoint_s)

    @property
    def rounds(self) -> int:
        """The number of rounds; a round is one episode in each environment."""
        return math.ceil(self.episodes / self.num_envs)


def preset_run(learner: Learner, preset: str, env_id: str, kind: type[R] = Run) -> R:
    """Returns the run of a preset.

    Args:
        learner: The learner.
        preset: The name of one of its presets.
        env_id: The environment, `"ID"` or `"module:ID"`.
        kind: The type of the run. Only a `Run` takes the run options of the preset; another type keeps its defaults.

    Raises:
        ValueError: The preset or the environment is unknown.
    """
    if preset not in learner.presets:
        near = did_you_mean(preset, learner.presets)
        raise ValueError(f"preset={preset!r} is unknown; known are: {', '.join(map(repr, learner.presets))}{near}")
    defaults, bare_id = learner.presets[preset], env_id.rpartition(":")[2]
    env = env_options_type(factory_of(env_id))(**defaults.env.get(bare_id, {}))
    of_run = {**defaults.run, **defaults.runs.get(bare_id, {})} if kind is Run else {}
    return kind(env=env, learner=defaults.learner_for(bare_id), env_id=env_id, preset=preset, **of_run)


def check_fit(learner: Learner, run: Run) -> None:
    """Raises `ValueError` where the learner cannot train on the run's environment, or an `env` option is wrong."""
    if why := learner.misfit(problem_of(run.env_id, asdict(run.env))):
        raise ValueError(f"{learner.name} cannot train on {run.env_id!r} with these options: {why}")
