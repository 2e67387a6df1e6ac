"""Learning from an expert's decisions, for `trainers.pretrain`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from trainers.algorithms.qmix import QMIX, greedy, mean_loss
from trainers.imitation.experts import EPISODES, Shard, check_episodes, joined, shards
from trainers.loop.training import device_of, evaluate
from trainers.pretrain import FINE_TUNING, Pretraining
from trainers.registry import Learner
from trainers.runs.compute import set_up_torch
from trainers.runs.directory import RunDirectory, new_path, replace_file
from trainers.runs.env_options import problem_of
from trainers.runs.options import ADJUSTABLE, as_json, spelled
from vec_envs.mobility import TrafficError
from vec_envs.policies import references
from vec_envs.registration import factory_of

EXPERTS = "experts"
HELD_OUT = 16
"""One shard of so many is kept, to see how well the expert is met."""


def main(learner: Learner, run: Pretraining) -> None:
    """Makes what is missing of the expert's episodes, learns from them, and plays held-out ones."""
    try:
        problem = problem_of(run.env_id, dataclasses.asdict(run.env))
        references(problem).named(run.expert).make(
            problem
        )  # what is wrong is said before there are folder and episodes
        learner.build(problem, run.learner, seed=0).to(device_of(run.device))
        if run.experts is not None:
            check_episodes(run.experts, episodes_of(run))
        directory = RunDirectory(run.output or new_path("pretrain"))
        directory.create_or_match(as_json(run, learner.name), but_for=(*ADJUSTABLE, "versions"))
        print(f"pre-training {learner.name} on {run.env_id}; the run is written to {directory.path}", flush=True)
        with directory.claimed():
            pretrain(learner, run, directory, run.experts)
            evaluate(run, directory)
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"trainers.pretrain: {error}")
    except KeyboardInterrupt:
        print("\ninterrupted; the same command with the same --output goes on", file=sys.stderr)
        sys.exit(130)
    print(f"go on: {command_after(learner, run, directory.path)}")


def command_after(learner: Learner, run: Pretraining, path: Path) -> str:
    """Returns the command of the training that begins with what was learned, on the same environment."""
    preset = "" if run.preset == "tuned" else f"--preset {run.preset}"
    env_id = "" if run.env_id == learner.env_ids[0] else f"--env-id {run.env_id}"
    begin = f"--init-from {shlex.quote(str(path / 'checkpoint.pt'))}"
    program = f"python -m trainers.{learner.name}"
    tuned = {f"learner.{name}": value for name, value in FINE_TUNING.items()}
    return " ".join(filter(None, (program, preset, env_id, begin, spelled(run, learner, tuned))))


def pretrain(learner: Learner, run: Pretraining, directory: RunDirectory, experts: Path | None = None) -> None:
    """Writes a checkpoint of agents that have learned from the expert, and line by line how well they met it.

    The expert's episodes are in the folder `experts`, by default in the run's own.
    """
    set_up_torch(run.threads)
    problem, parts = made(run, experts or directory.path / EXPERTS)
    last = max(1, len(parts) // HELD_OUT)
    seen, held = joined(parts[:-last]), joined(parts[-last:])
    weights, order = (int(s) >> 1 for s in np.random.SeedSequence(run.seed).generate_state(2, np.uint64))
    algorithm: QMIX = learner.build(problem, run.learner, seed=weights)
    algorithm.to(device_of(run.device))
    seen = replace(seen, advantage=scaled(algorithm, seen.advantage))
    with contextlib.closing(directory):
        for epoch, metrics in fitted(algorithm, run, seen, np.random.default_rng(order)):
            directory.log(epoch, metrics | met(algorithm, held))
    algorithm.let_targets_follow()
    directory.save_checkpoint({"round": 0, "algorithm": algorithm.state_dict()})


def made(run: Pretraining, folder: Path) -> tuple[Any, list[Shard]]:
    """Returns the problem, and the expert's shards on it, those that are missing made now."""
    rounds, options = math.ceil(run.episodes / run.num_envs), dataclasses.asdict(run.env)
    check_episodes(folder, episodes_of(run))
    if not (folder / EPISODES).exists():
        replace_file(folder / EPISODES, json.dumps(episodes_of(run), indent=2) + "\n")
    with contextlib.closing(factory_of(run.env_id).vector_env(num_envs=run.num_envs, **options)) as env:
        one_by_one = shards(env, folder, expert=run.expert, rounds=rounds, exploration=run.exploration, seed=run.seed)
        return env.problem, list(tqdm(one_by_one, total=rounds, unit="shard", desc=run.expert))


def episodes_of(run: Pretraining) -> dict[str, Any]:
    """Returns what decides which episodes the expert plays, but for how many."""
    names = ("env_id", "env", "num_envs", "seed", "expert", "exploration")
    return {name: value for name, value in dataclasses.asdict(run).items() if name in names}


def fitted(
    algorithm: QMIX, run: Pretraining, seen: Shard, rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, float]]]:
    """Lets the agents learn, and yields each epoch with its mean loss."""
    network = algorithm.policy.network
    optimiser = torch.optim.Adam(network.parameters(), lr=run.learning_rate)
    slots = len(seen.action)
    steps = run.epochs * math.ceil(slots / run.batch_size)
    falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / steps)
    for epoch in tqdm(range(1, run.epochs + 1), unit="epoch", desc="learning"):
        losses: list[float] = []
        for rows in np.array_split(rng.permutation(slots), math.ceil(slots / run.batch_size)):
            loss = imitation_loss(algorithm, seen.observation[rows], seen.advantage[rows])
            optimiser.zero_grad()
            loss.backward()
            if bound := algorithm.options.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(network.parameters(), bound)
            optimiser.step()
            falling.step()
            losses.append(loss.item())
        if not np.isfinite(losses).all():
            raise ValueError("the loss is no number any more: try a lower --learning-rate")
        yield epoch, {"epoch": epoch, "loss": float(np.mean(losses))}


def scaled(algorithm: QMIX, advantage: np.ndarray) -> np.ndarray:
    """Returns advantages `[slots, agents, actions]` as values to learn: scaled as rewards are.

    Where noise is predicted, each agent's are of unit scale instead: beside noise of that scale, larger values would
    make all noise alike, and smaller ones none.
    """
    network: Any = algorithm.policy.network
    if not network.predicts_noise:
        return advantage * np.float32(algorithm.options.reward_scale)
    there = torch.isfinite(algorithm.policy.absent).cpu().numpy()
    spread = advantage.std(axis=(0, 2), keepdims=True, where=there)
    return advantage / np.maximum(spread, np.float32(1e-6))


def imitation_loss(algorithm: QMIX, observation: np.ndarray, target: np.ndarray) -> Tensor:
    """Returns the mean loss of what the agents' networks predict, over the actions that there are.

    By default it is Huber's, as in training; a forward diffusion is usually fitted by squares.
    """
    policy = algorithm.policy
    seen = policy.seen(observation)
    network: Any = policy.network
    predicted, wanted = network.fit(seen, torch.as_tensor(target, device=seen.device), policy.generators.torch)
    there = torch.isfinite(policy.absent).expand_as(predicted)
    return mean_loss(predicted[there], wanted[there], algorithm.options)


def met(algorithm: QMIX, held: Shard) -> dict[str, float]:
    """Returns how well the greedy actions meet the expert's in slots not learned from.

    `agreement`: how often an agent's is as good; `regret`: by how much a reward is below the expert's, the mean over
    agents that each alone leave it.
    """
    chosen = greedy(algorithm, lagged=False).act(held.observation)
    change = np.take_along_axis(held.advantage, chosen[..., None], axis=-1)
    return {"agreement": float((change >= 0.0).mean()), "regret": float(-change.mean())}
