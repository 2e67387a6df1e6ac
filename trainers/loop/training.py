"""The training loop of all learners: rounds of whole episodes in all lanes, gradient steps between or after them.

Tianshou's trainers cannot continue a run exactly, and its collectors splice episodes when they stop within one; so the
loop is ours, and the policy, algorithm, optimiser and target networks in it are Tianshou's. A round starts and ends
between episodes, which is where a checkpoint can hold all there is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import shlex
import signal
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.data import Batch, to_numpy
from tianshou.utils.torch_utils import policy_within_training_step
from tqdm import tqdm

from trainers.algorithms.options import annealed
from trainers.evaluate import EXPORTED, evaluate_run, label, print_table, shown
from trainers.loop.episodes import DecisionChains, Tally, step
from trainers.loop.experience import EXPERIENCES, Experience
from trainers.registry import Learner, LearnerOptions, Schedule
from trainers.runs.compute import set_up_torch
from trainers.runs.directory import CHECKPOINT, RunDirectory, new_path, newest_path, read_checkpoint
from trainers.runs.options import Run, as_json, configured, other_options, resumed
from trainers.tianshou_bridge.policy import ExploringPolicy
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import TrafficError
from vec_envs.problems.base import action_shape
from vec_envs.registration import factory_of

INTERRUPTED = 130


def main(learner: Learner, run: Run) -> None:
    """Trains, evaluates and prints the table; exits with a message where the run cannot start or go on."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        directory, run = open_run(learner, run)
        print(f"training {learner.name} on {run.env_id}; the run is written to {directory.path}", flush=True)
        if train(learner, run, directory):
            where = shlex.quote(str(directory.path))
            print(f"interrupted; go on with: python -m trainers.{learner.name} --resume --output {where}")
            sys.exit(INTERRUPTED)
        evaluate(run, directory)
    except (OSError, TrafficError, ValueError, torch.cuda.OutOfMemoryError) as error:
        sys.exit(f"trainers.{learner.name}: {error}")
    except KeyboardInterrupt:
        print("\ninterrupted; --resume goes on from the last checkpoint, where there is one", file=sys.stderr)
        sys.exit(INTERRUPTED)
    print(f"the run is in {directory.path}")


def evaluate(run: Run, directory: RunDirectory) -> None:
    """Plays the held-out episodes that the run asks for, and prints and writes the figures."""
    if run.evaluation_episodes:
        print(f"playing {run.evaluation_episodes} held-out episodes with each policy", flush=True)
        figures = evaluate_run(directory.path, episodes=run.evaluation_episodes, seed=run.evaluation_seed)
        directory.save_evaluation(figures)
        print_table(figures)


def open_run(learner: Learner, run: Run) -> tuple[RunDirectory, Run]:
    """Returns folder and options of a new run, or of the one to resume. Raises where there is none, or one already."""
    if run.resume:
        path = run.output or newest_path(learner.name)
        return RunDirectory(path), resumed(configured(learner, path), run)
    directory = RunDirectory(run.output or new_path(learner.name))
    directory.check_free()
    return directory, run


def train(learner: Learner, run: Run, directory: RunDirectory) -> bool:
    """Trains to the end, or until interrupted; returns whether it was. Leaves a checkpoint either way."""
    set_up_torch(run.threads)
    options = dataclasses.asdict(run.env)
    with contextlib.ExitStack() as held:
        if run.output is None:
            held.callback(directory.drop_if_empty)
        env = held.enter_context(
            contextlib.closing(factory_of(run.env_id).vector_env(num_envs=run.num_envs, **options))
        )
        training = Training(learner, run, directory, env)
        if run.resume:
            held.enter_context(directory.claimed())
            training.load(directory.load_checkpoint())
        else:
            training.check_traffic()
            if run.init_from is not None:
                training.start_from(learner, run.init_from)
            directory.create(as_json(run, learner.name))
            held.enter_context(directory.claimed())
        with stop_signals() as stop:
            training.go_on(stop)
        directory.close()
    return not training.finished


class Training:
    """A run as it stands: everything a checkpoint holds."""

    def __init__(self, learner: Learner, run: Run, directory: RunDirectory, env: BatchVectorEnv) -> None:
        self._run, self._directory, self._env = run, directory, env
        options: LearnerOptions = run.learner
        self._schedule: Schedule = options.schedule
        streams = np.random.SeedSequence(run.seed).generate_state(2 + run.num_envs, np.uint64)
        seeds = [int(seed) >> 1 for seed in streams]
        self._env_seeds: list[int | None] = list(seeds[2:])
        problem = env.problem
        self.algorithm: Algorithm[Any, Any] = learner.build(problem, run.learner, seed=seeds[0])
        self.algorithm.to(device_of(run.device))
        self._policy: ExploringPolicy = self.algorithm.policy
        seen = action_shape(problem)[0], problem.observation_size
        of_kind = EXPERIENCES[learner.experience]
        self.experience: Experience = of_kind(run.learner, self.algorithm, observation_shape=seen, seed=seeds[1])
        self.round = 0
        self.num_rounds = run.rounds
        warm_up = self.experience.warm_up_episodes
        if self.num_rounds <= math.ceil(warm_up / run.num_envs):
            raise ValueError(
                f"episodes={run.episodes} must be above warm_up_episodes={warm_up}, "
                "in rounds of num_envs, or nothing is learned"
            )

    @property
    def finished(self) -> bool:
        """Whether all episodes have been played."""
        return self.round >= self.num_rounds

    def check_traffic(self) -> None:
        """Raises `TrafficError` where the lanes' first episodes cannot be had; the first round draws them again."""
        self._env.reset(seed=self._env_seeds)

    def start_from(self, learner: Learner, path: Path) -> None:
        """Takes over the weights of a checkpoint or a run's folder, not its optimisers, which hold learning rates.

        Says which options they were learned with otherwise: weights may fit and mean something else. Raises `OSError`
        or `ValueError` where they cannot be had, or do not fit.
        """
        path = path / CHECKPOINT if path.is_dir() else path
        state, own = read_checkpoint(path), self.algorithm.state_dict()
        if EXPORTED in state:
            raise ValueError(f"{path} is an exported policy, which plays and cannot learn on: take the run itself")
        other = other_options(self._run, learner, path)
        kept = {name: value for name, value in own.items() if not isinstance(value, torch.Tensor)}
        try:
            self.algorithm.load_state_dict({**state["algorithm"], **kept})
        except (KeyError, IndexError, TypeError, RuntimeError) as error:
            said = [line.strip() for line in str(error).splitlines()]
            why = said[:2][-1] if said else type(error).__name__
            if other:
                why = f"it was learned with other {', '.join(other)}"
            raise ValueError(f"{path} is of another learner, other agents, actions or networks: {why}") from error
        if other:
            print(f"the weights of {path} were learned with other {', '.join(other)}", flush=True)

    def go_on(self, stop: Stop) -> None:
        """Plays rounds until the end or until told to stop; writes checkpoints on the way and at last."""
        if self.round == 0:
            self.save()
        saved = time.monotonic()
        episodes = self._run.num_envs
        interval_s = 0.2 if sys.stderr.isatty() else 30.0
        total, played = self.num_rounds * episodes, self.round * episodes
        with tqdm(total=total, initial=played, unit="episode", mininterval=interval_s) as bar:
            while not self.finished and not stop.wanted:
                metrics = self.play_round()
                self._directory.log(self.round * episodes, metrics)
                bar.update(episodes)
                bar.set_postfix_str(self._shown(metrics), refresh=False)
                if time.monotonic() - saved > self._run.checkpoint_s:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def _shown(self, metrics: Mapping[str, float]) -> str:
        """Returns what the progress bar shows: return, and the figure by which policies are ranked."""
        first = self._env.problem.reported_metrics[0]
        value = f"{shown(metrics[first.name])} {first.unit}".rstrip()
        return f"return {shown(metrics['return_mean'])}, {label(first.name)} {value}"

    def play_round(self) -> dict[str, float]:
        """Plays an episode in every lane, learning on the way; returns the round's metrics."""
        began = time.monotonic()
        lanes, batch_size = self._env.batch, self._run.num_envs
        warm_up = self.round * batch_size < self.experience.warm_up_episodes
        progress = self.round / self.num_rounds
        self._policy.exploration = self._schedule.explores(progress, warm_up=warm_up)
        scale_learning_rates(self.algorithm, annealed(self._schedule.final_learning_rate, progress))
        self._env.reset(seed=self._env_seeds if self.round == 0 else None)
        tally, learned = Tally(self._env.problem.reported_metrics, batch_size), list[dict[str, float]]()
        observation, rows = lanes.observe(), DecisionChains(lanes)
        while not lanes.ended.all():
            observation = self._play_step(observation, tally, rows)
            learned += [] if warm_up else self.experience.learn_after_step()
        learned += [] if warm_up else self.experience.learn_after_round()
        self.round += 1
        return losses_of(learned) | {
            "episodes": self.round * batch_size,
            "return_mean": float(tally.returns.mean()),
            **{name: float(means.mean()) for name, means in tally.means().items()},
            "exploration": self._policy.exploration,
            "updates": self.experience.updates,
            "round_s": time.monotonic() - began,
        }

    def _play_step(self, observation: np.ndarray, tally: Tally, rows: DecisionChains) -> np.ndarray:
        """Plays a decision in every lane that has not ended, keeps it for replay, and returns what is seen then."""
        stored = self._explore(observation)
        played = step(self._env.batch, self._policy.taken(stored, observation))
        tally.add(played)
        self.experience.add(rows.join(observation, stored, played))
        return played.following

    def _explore(self, observation: np.ndarray) -> np.ndarray:
        batch = Batch(obs=observation, info={})
        with torch.no_grad(), policy_within_training_step(self.algorithm.policy):
            return self._policy.add_exploration_noise(to_numpy(self._policy(batch).act), batch)

    def save(self) -> None:
        """Writes the checkpoint."""
        lanes = self._env.batch.snapshot()
        policy = self._policy.generators.state()
        state = {
            "round": self.round,
            "algorithm": self.algorithm.state_dict(),
            "experience": self.experience.state_dict(),
            "torch_generator": policy.pop("torch"),
            "generators": json.dumps({"lanes": lanes, "policy": policy["numpy"]}),
        }
        self._directory.save_checkpoint(state)

    def load(self, state: dict[str, Any]) -> None:
        """Takes over a checkpoint. Raises `ValueError` for one that holds a policy alone."""
        if "experience" not in state:
            raise ValueError(f"{self._directory.path} holds a policy alone: a run cannot go on from it")
        generators = json.loads(state["generators"])
        self.round = state["round"]
        self.algorithm.load_state_dict(state["algorithm"])
        self.experience.load_state_dict(state["experience"])
        self._policy.generators.set_state({"torch": state["torch_generator"], "numpy": generators["policy"]})
        if self.round:
            self._env.batch.restore(generators["lanes"])
        self._directory.keep_metrics(self.round)


def losses_of(reports: list[dict[str, float]]) -> dict[str, float]:
    """Returns the mean of each thing that gradient steps report.

    Raises `ValueError` where learning has diverged: something is not finite.
    """
    means = {name: float(np.mean([report[name] for report in reports])) for name in (reports[0] if reports else {})}
    wrong = [name for name, value in means.items() if not math.isfinite(value)]
    if wrong:
        raise ValueError(f"learning has diverged: {', '.join(wrong)} not finite; lower --learner.learning-rate")
    return means


def scale_learning_rates(algorithm: Algorithm[Any, Any], part: float) -> None:
    """Sets every learning rate to this part of what it was at first, which its optimiser remembers."""
    for optimizer in algorithm._optimizers:
        for group in optimizer._optim.param_groups:
            group["lr"] = part * group.setdefault("initial_lr", group["lr"])


class Stop:
    """Whether a signal asked the run to stop."""

    wanted = False


@contextlib.contextmanager
def stop_signals() -> Generator[Stop, None, None]:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop after the round; a second Ctrl-C interrupts at once."""
    stop = Stop()

    def ask(number: int, frame: object) -> None:
        stop.wanted = True
        print("\nstopping after this round; once more to stop at once", file=sys.stderr)
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def device_of(name: str) -> torch.device:
    """Returns the device of that name; "auto" is CUDA where there is one. Raises `ValueError` where it is unusable."""
    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {error}") from error
    return device
