"""The training loop of all learners: rounds of one episode in each environment, with gradient steps in between.

The policy, the algorithm, the optimiser and the target networks are Tianshou's; the loop is our own. Tianshou's
trainers cannot continue a run exactly, and its collectors join parts of different episodes when they stop within one.
A checkpoint is written between two rounds, where no episode is running.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.data import Batch, to_numpy
from tianshou.utils.torch_utils import policy_within_training_step
from tqdm import tqdm

from trainers.algorithms.options import annealed
from trainers.loop.agent_chains import chains_of
from trainers.loop.episodes import Chains, DecisionChains, Tally, step
from trainers.loop.evaluation import evaluate_run
from trainers.loop.experience import EXPERIENCES, Experience, Report
from trainers.loop.stopping import Stop, stop_signals
from trainers.registry import Learner, LearnerOptions, Schedule
from trainers.runs.checkpoints import ALGORITHM, EXPORTED, UnfitCheckpointError, load_weights, read_checkpoint
from trainers.runs.compute import device_of, set_up_torch
from trainers.runs.configuration import (
    as_json,
    configured,
    other_options,
    resumed,
    warn_of_other_files,
    warn_of_other_sumo,
)
from trainers.runs.directory import CHECKPOINT, METRICS, RunDirectory, folder_of, new_path, newest_path
from trainers.runs.options import Run
from trainers.runs.tables import label, print_table, shown
from trainers.runs.thread_share import ThreadShare
from trainers.tianshou_bridge.policy import ExploringPolicy
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import TrafficError
from vec_envs.problems.base import action_shape
from vec_envs.registration import factory_of

INTERRUPTED = 130


def main(learner: Learner, run: Run) -> None:
    """Trains, evaluates and prints the table; exits with a message where the run cannot start or continue."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        directory, run = open_run(learner, run)
        if train(learner, run, directory, announced=True):
            where = shlex.quote(str(directory.path))
            print(f"interrupted; continue with: python -m trainers.{learner.name} --resume --output {where}")
            sys.exit(INTERRUPTED)
        evaluate(run, directory)
    except (OSError, TrafficError, ValueError, torch.cuda.OutOfMemoryError) as error:
        sys.exit(f"trainers.{learner.name}: {error}")
    except KeyboardInterrupt:
        print("\ninterrupted; --resume continues from the last checkpoint, if one was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    print(f"the run is in {directory.path}")


def evaluate(run: Run, directory: RunDirectory) -> None:
    """Plays the held-out episodes of the run's options, prints the table and writes `evaluation.json`."""
    if run.evaluation_episodes:
        print(f"playing {run.evaluation_episodes} held-out episodes with each policy", flush=True)
        evaluation = evaluate_run(directory.path, episodes=run.evaluation_episodes, seed=run.evaluation_seed)
        directory.save_evaluation(evaluation)
        print_table(evaluation)


def open_run(learner: Learner, run: Run) -> tuple[RunDirectory, Run]:
    """Returns the folder and the options of a new run, or of the run to resume.

    Where a new run is given no folder, it is that of the learner's runs, and `train` creates one in it.

    Raises `FileNotFoundError` where there is no run to resume, and `FileExistsError` where a new run's folder holds a
    run already.
    """
    if run.resume:
        path = run.output or newest_path(learner.name)
        return RunDirectory(path), resumed(configured(learner, path), run)
    directory = RunDirectory(run.output or folder_of(learner.name))
    directory.check_free()
    return directory, run


def train(learner: Learner, run: Run, directory: RunDirectory, *, announced: bool = False) -> bool:
    """Trains to the end or until interrupted, writes a checkpoint, and returns whether training was interrupted.

    The folder of a new run is created, and announced on the terminal, when all options have been checked.
    """
    set_up_torch(run.threads)
    options = dataclasses.asdict(run.env)
    with contextlib.ExitStack() as stack:
        env = stack.enter_context(
            contextlib.closing(factory_of(run.env_id).vector_env(num_envs=run.num_envs, **options))
        )
        training = Training(learner, run, directory, env)
        if run.resume:
            stack.enter_context(directory.claimed())
            warn_of_other_sumo(directory.config(), run)
            warn_of_other_files(directory.config(), run)
        if run.resume and directory.has_checkpoint():
            training.load(directory.load_checkpoint())
        else:
            training.check_traffic()
            if run.init_from is not None:
                training.start_from(learner, run.init_from)
        if not run.resume:
            if run.output is None:
                directory.path = new_path(learner.name)
                stack.callback(directory.drop_if_empty)
            directory.create(as_json(run, learner.name))
            stack.enter_context(directory.claimed())
        if announced:
            doing = "training" if run.rounds else "evaluating the initial weights of"
            print(f"{doing} {learner.name} on {run.env_id}; the run is written to {directory.path}", flush=True)
        with stop_signals() as stop:
            training.play_rounds(stop)
        directory.close()
    return not training.finished


class Training:
    """A run in progress: everything that a checkpoint holds."""

    def __init__(self, learner: Learner, run: Run, directory: RunDirectory, env: BatchVectorEnv) -> None:
        self._run, self._directory, self._env = run, directory, env
        options: LearnerOptions = run.learner
        self._schedule: Schedule = options.schedule
        words = np.random.SeedSequence(run.seed).generate_state(2 + run.num_envs, np.uint64)
        seeds = [int(word) >> 1 for word in words]
        self._env_seeds: list[int | None] = list(seeds[2:])
        problem = env.problem
        self.algorithm: Algorithm[Any, Any] = learner.build(problem, run.learner, seed=seeds[0])
        self.algorithm.to(device_of(run.device))
        self._policy: ExploringPolicy = self.algorithm.policy
        self._on_policy = learner.experience == "rollout"
        make_experience = EXPERIENCES[learner.experience]
        self.experience: Experience = make_experience(
            run.learner,
            self.algorithm,
            observation_shape=(action_shape(problem)[0], problem.observation_size),
            seed=seeds[1],
        )
        self._thread_share = ThreadShare(run.threads)
        self.round = 0
        self.num_rounds = run.rounds
        warm_up = self.experience.warm_up_episodes
        if 0 < self.num_rounds <= math.ceil(warm_up / run.num_envs):
            raise ValueError(
                f"episodes={run.episodes} must be above warm_up_episodes={warm_up}, both rounded up to multiples of "
                f"num_envs={run.num_envs}, or nothing is learned; episodes=0 evaluates the initial weights"
            )

    @property
    def finished(self) -> bool:
        """Whether all episodes have been played."""
        return self.round >= self.num_rounds

    def check_traffic(self) -> None:
        """Raises `TrafficError` where the traffic cannot serve the first episodes; round one repeats the reset."""
        self._env.reset(seed=self._env_seeds)

    def start_from(self, learner: Learner, path: Path) -> None:
        """Loads the weights of a checkpoint, but not its optimisers, which hold learning rates.

        Prints which options differ from those that the weights were trained with: weights can have the right shapes
        and still mean something else.

        Args:
            learner: The learner of this run.
            path: A checkpoint, or the folder of a run.

        Raises:
            OSError: The checkpoint cannot be read.
            ValueError: The checkpoint is damaged, or its weights are not finite or do not fit.
        """
        path = path / CHECKPOINT if path.is_dir() else path
        state, own_state = read_checkpoint(path), self.algorithm.state_dict()
        if EXPORTED in state:
            raise ValueError(
                f"{path} is an exported policy, which cannot be trained: give the run that it was exported from"
            )
        other = other_options(self._run, learner, path)
        optimisers = {name: value for name, value in own_state.items() if not isinstance(value, torch.Tensor)}
        trained = f"trained with other values of {', '.join(other)}"
        try:
            load_weights(self.algorithm, state[ALGORITHM], given=str(path), own=optimisers)
        except UnfitCheckpointError as error:
            raise UnfitCheckpointError(f"{error}; it was {trained}" if other else str(error)) from error
        if other:
            print(f"the weights of {path} were {trained}", flush=True)

    def play_rounds(self, stop: Stop) -> None:
        """Plays rounds to the end of the run or until a stop is requested, and writes checkpoints."""
        if self.round == 0:
            self.save()
        saved = time.monotonic()
        episodes = self._run.num_envs
        interval_s = 0.2 if sys.stderr.isatty() else 30.0
        total, played = self.num_rounds * episodes, self.round * episodes
        with tqdm(total=total, initial=played, unit="episode", mininterval=interval_s) as bar:
            while not self.finished and not stop.requested:
                metrics = self.play_round()
                self._directory.log(self.round * episodes, metrics)
                bar.update(episodes)
                bar.set_postfix_str(self._progress_text(metrics), refresh=False)
                if time.monotonic() - saved > self._run.checkpoint_s:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def _progress_text(self, metrics: Mapping[str, float]) -> str:
        """Returns the text of the progress bar: the return, and the metric by which policies are ranked."""
        texts = [f"return {shown(metrics['return_mean'])}"]
        texts += [f"{label(m.name)} {shown(metrics[m.name], m.unit)}" for m in self._env.problem.reported_metrics[:1]]
        return ", ".join(texts)

    def play_round(self) -> dict[str, float]:
        """Plays one episode in each environment, makes the gradient steps that are due, and returns metrics."""
        began = time.monotonic()
        batch, batch_size = self._env.batch, self._run.num_envs
        warm_up = self.round * batch_size < self.experience.warm_up_episodes
        progress = self.round / self.num_rounds
        self._policy.exploration = self._schedule.explores(progress, warm_up=warm_up)
        scale_learning_rates(self.algorithm, annealed(self._schedule.final_learning_rate, progress))
        self._env.reset(seed=self._env_seeds if self.round == 0 else None)
        tally, reports = Tally(self._env.problem.reported_metrics, batch_size), list[Report]()
        observation, chains = batch.observe(), self._chains()
        while not batch.ended.all():
            observation = self._play_step(observation, tally, chains)
            reports += [] if warm_up else self.experience.learn_after_step()
            self._thread_share.adapt()
        reports += [] if warm_up else self.experience.learn_after_round()
        self.round += 1
        return mean_losses(reports) | {
            "episodes": self.round * batch_size,
            "return_mean": float(tally.returns.mean()),
            **{name: float(means.mean()) for name, means in tally.means().items()},
            "exploration": self._policy.exploration,
            "updates": self.experience.updates,
            "round_s": time.monotonic() - began,
        }

    def _chains(self) -> Chains:
        """Returns what joins decisions. On-policy rollouts need a transition of each environment at every step."""
        batch = self._env.batch
        return DecisionChains(batch) if self._on_policy else chains_of(batch)

    def _play_step(self, observation: np.ndarray, tally: Tally, chains: Chains) -> np.ndarray:
        """Plays one decision in each environment, stores the completed transitions, and returns the observation."""
        stored = self._explore(observation)
        played = step(self._env.batch, self._policy.environment_action(stored, observation))
        tally.add(played)
        self.experience.add(chains.join(observation, stored, played))
        return played.next_observation

    def _explore(self, observation: np.ndarray) -> np.ndarray:
        """Returns the actions to store: the policy's, with exploration."""
        batch = Batch(obs=observation, info={})
        with torch.no_grad(), policy_within_training_step(self.algorithm.policy):
            return self._policy.add_exploration_noise(to_numpy(self._policy(batch).act), batch)

    def save(self) -> None:
        """Writes a checkpoint."""
        environments = self._env.batch.snapshot()
        policy = self._policy.generators.state()
        state = {
            "round": self.round,
            "algorithm": self.algorithm.state_dict(),
            "experience": self.experience.state_dict(),
            "torch_generator": policy.pop("torch"),
            "generators": json.dumps({"lanes": environments, "policy": policy["numpy"]}),
        }
        self._directory.save_checkpoint(state)

    def load(self, state: dict[str, Any]) -> None:
        """Restores a checkpoint, and drops the metrics of later rounds.

        Raises:
            ValueError: The checkpoint is an exported policy, which lacks the training state.
            UnfitCheckpointError: The checkpoint belongs to another run: it lacks a part, or its sizes differ.
        """
        path = self._directory.path
        if EXPORTED in state:
            raise ValueError(
                f"{path} holds an exported policy, which cannot be trained: resume the run that it was exported from"
            )
        load_weights(self.algorithm, state[ALGORITHM], given=str(path / CHECKPOINT))
        try:
            self._restore(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else error
            raise UnfitCheckpointError(f"{path / CHECKPOINT} belongs to another run: {why}") from error
        kept = self._directory.keep_metrics(self.round, num_envs=self._run.num_envs)
        if kept < self.round:
            lost = self.round - kept
            print(f"{path / METRICS} was damaged: {lost} of {self.round} rounds are lost", flush=True)

    def _restore(self, state: dict[str, Any]) -> None:
        """Restores all parts of a checkpoint but the weights.

        Raises `ValueError` where it has more rounds than the run, or another number of environments.
        """
        generators, num_envs = json.loads(state["generators"]), self._run.num_envs
        self.round = state["round"]
        if self.round > self.num_rounds:
            raise ValueError(f"it has {self.round} rounds, this run has {self.num_rounds}")
        if len(generators["lanes"]) != num_envs:
            raise ValueError(f"it has num_envs={len(generators['lanes'])}, this run has num_envs={num_envs}")
        self.experience.load_state_dict(state["experience"])
        self._policy.generators.set_state({"torch": state["torch_generator"], "numpy": generators["policy"]})
        if self.round:
            self._env.batch.restore(generators["lanes"])


def mean_losses(reports: list[Report]) -> dict[str, float]:
    """Returns the mean of each loss over gradient steps. Raises `ValueError` where one is not finite."""
    means = {name: float(np.mean([report[name] for report in reports])) for name in (reports[0] if reports else {})}
    diverged = [name for name, value in means.items() if not math.isfinite(value)]
    if diverged:
        raise ValueError(f"training has diverged: {', '.join(diverged)} not finite; lower --learner.learning-rate")
    return means


def scale_learning_rates(algorithm: Algorithm[Any, Any], part: float) -> None:
    """Sets every learning rate to a fraction of its initial value, which the optimiser stores."""
    for optimizer in algorithm._optimizers:
        for group in optimizer._optim.param_groups:
            group["lr"] = part * group.setdefault("initial_lr", group["lr"])
