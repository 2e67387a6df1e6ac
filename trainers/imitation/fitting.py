"""Imitation learning of an expert's decisions, for `trainers.pretrain`."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from trainers.algorithms.qmix import QMIX, greedy, mean_loss
from trainers.imitation.experts import ARRAYS, EPISODES, Shard, check_episodes, joined, shards
from trainers.imitation.options import FINE_TUNING, Pretraining
from trainers.loop.training import INTERRUPTED, evaluate
from trainers.networks.shared import SharedAgents
from trainers.registry import Learner
from trainers.runs.compute import device_of, set_up_torch
from trainers.runs.configuration import as_json, spelled
from trainers.runs.directory import RunDirectory, new_path, replace_file
from trainers.runs.env_options import problem_of
from trainers.runs.options import ADJUSTABLE
from vec_envs.mobility import TrafficError
from vec_envs.problems.abilities import HasLastingEffects
from vec_envs.problems.policy import Policy
from vec_envs.registration import factory_of

EXPERTS = "experts"
"""The folder of the expert's episodes within the folder of a run."""
HELD_OUT = 16
"""One of this many shards is held out to measure how well the agents imitate the expert; at least one shard is."""


def main(learner: Learner, run: Pretraining) -> None:
    """Makes the missing episodes of the expert, learns from all of them, evaluates, and prints the next command."""
    try:
        check(learner, run)
        directory = RunDirectory(run.output or new_path("pretrain"))
        directory.create_or_match(as_json(run, learner.name), ignoring=(*ADJUSTABLE, "versions"))
        print(f"pre-training {learner.name} on {run.env_id}; the run is written to {directory.path}", flush=True)
        with directory.claimed():
            directory.keep_metrics(0)
            pretrain(learner, run, directory, run.experts)
            evaluate(run, directory)
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"trainers.pretrain: {error}")
    except KeyboardInterrupt:
        print("\ninterrupted; repeat the command with the same --output to continue", file=sys.stderr)
        sys.exit(INTERRUPTED)
    print(f"continue with: {command_after(learner, run, directory.path)}")


def check(learner: Learner, run: Pretraining) -> None:
    """Raises `ValueError` for options that cannot be used, before a folder or an episode is made."""
    problem = problem_of(run.env_id, dataclasses.asdict(run.env))
    factory_of(run.env_id).references.named(run.expert).make(problem)
    learner.build(problem, run.learner, seed=0).to(device_of(run.device))
    if isinstance(lasting := problem, HasLastingEffects) and lasting.effect_epochs > problem.episode_epochs:
        raise ValueError(
            f"an episode has {problem.episode_epochs} decision epochs, but the effects of a decision last for "
            f"{lasting.effect_epochs}, so no decision can be simulated to its end: use longer episodes"
        )
    if run.experts is not None:
        check_episodes(run.experts, episodes_of(run))
    with contextlib.closing(factory_of(run.env_id).vector_env(num_envs=1, **dataclasses.asdict(run.env))) as env:
        env.reset(seed=run.seed)  # raises TrafficError where the traffic cannot serve an episode


def command_after(learner: Learner, run: Pretraining, path: Path) -> str:
    """Returns the command that trains on the same environment, starting with the pre-trained weights."""
    preset = "" if run.preset == "tuned" else f"--preset {run.preset}"
    env_id = "" if run.env_id == learner.default_env_id else f"--env-id {run.env_id}"
    init_from = f"--init-from {shlex.quote(str(path / 'checkpoint.pt'))}"
    program = f"python -m trainers.{learner.name}"
    fine_tuning = {f"learner.{name}": value for name, value in FINE_TUNING.items()}
    return " ".join(filter(None, (program, preset, env_id, init_from, *spelled(run, learner, fine_tuning))))


def pretrain(learner: Learner, run: Pretraining, directory: RunDirectory, experts: Path | None = None) -> None:
    """Trains the agents on the expert's decisions, and writes a checkpoint and the metrics of each epoch.

    Args:
        learner: The learner whose agents are trained.
        run: The options.
        directory: The folder of the run.
        experts: The folder of the expert's episodes; by default in the folder of the run.
    """
    set_up_torch(run.threads)
    weights, order = (int(word) >> 1 for word in np.random.SeedSequence(run.seed).generate_state(2, np.uint64))
    problem, rng = problem_of(run.env_id, dataclasses.asdict(run.env)), np.random.default_rng(order)
    algorithm: QMIX = learner.build(problem, run.learner, seed=weights)
    algorithm.to(device_of(run.device))
    expert: Policy = factory_of(run.env_id).references.named(run.expert).make(problem)
    folder, played = experts or directory.path / EXPERTS, episodes_of(run)
    with contextlib.closing(directory):
        for improvement in range(run.improvements + 1):
            if improvement:
                expert, folder = greedy(algorithm, lagged=False), directory.path / f"improvement-{improvement}"
                played = {**episodes_of(run), "expert": digest_of(algorithm)}
            parts = expert_data(run, folder, expert, played, first_round=improvement * run.rounds)
            if improvement:  # agents that play draw from the same generator, but only where shards are missing
                algorithm.policy.generators.torch.manual_seed(weights + improvement)
            for epoch, metrics in learned_from(parts, algorithm, run, rng):
                number = improvement * run.epochs + epoch
                directory.log(number, {"epoch": number, **metrics})
    algorithm.copy_to_targets()
    directory.save_checkpoint({"round": 0, "algorithm": algorithm.state_dict()})


def learned_from(
    parts: list[Shard], algorithm: QMIX, run: Pretraining, rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, float]]]:
    """Trains the agents on all shards but the last ones, and yields the number of each epoch with its metrics."""
    num_held_out = max(1, len(parts) // HELD_OUT)
    training, held_out = joined(parts[:-num_held_out]), joined(parts[-num_held_out:])
    training = replace(training, advantage=scaled(algorithm, training.advantage))
    if isinstance(algorithm.policy.network, SharedAgents):
        training = of_deciders(training)
    if not len(training.action):
        raise ValueError("the expert's episodes hold no decision to learn from: use more or longer episodes")
    for epoch, loss in fitted(algorithm, run, training, rng):
        yield epoch, {"loss": loss, **imitation_metrics(algorithm, held_out)}


def expert_data(
    run: Pretraining, folder: Path, expert: Policy, played: Mapping[str, Any], *, first_round: int
) -> list[Shard]:
    """Returns the expert's shards, and makes the missing ones.

    Args:
        run: The options.
        folder: Where the shards are.
        expert: The policy that plays.
        played: The options that determine the episodes.
        first_round: The number of the first shard. Each number has its own episodes.
    """
    check_episodes(folder, played)
    if not (folder / EPISODES).exists():
        replace_file(folder / EPISODES, json.dumps(played, indent=2) + "\n")
    options, rounds = dataclasses.asdict(run.env), range(first_round, first_round + run.rounds)
    with contextlib.closing(factory_of(run.env_id).vector_env(num_envs=run.num_envs, **options)) as env:
        one_by_one = shards(env, folder, expert=expert, rounds=rounds, exploration=run.exploration, seed=run.seed)
        return list(tqdm(one_by_one, total=len(rounds), unit="shard", desc="expert's episodes"))


def digest_of(algorithm: QMIX) -> str:
    """Returns a hash of the weights of the agents."""
    weights = algorithm.policy.network.state_dict().values()
    return hashlib.sha256(b"".join(weight.cpu().numpy().tobytes() for weight in weights)).hexdigest()


def episodes_of(run: Pretraining) -> dict[str, Any]:
    """Returns the options that determine the expert's episodes, except their number."""
    names = ("env_id", "env", "num_envs", "seed", "expert", "exploration")
    return {name: value for name, value in dataclasses.asdict(run).items() if name in names}


def fitted(algorithm: QMIX, run: Pretraining, data: Shard, rng: np.random.Generator) -> Iterator[tuple[int, float]]:
    """Trains the agents, and yields the number of each epoch with its mean loss.

    Raises `ValueError` where the loss is not finite any more.
    """
    network = algorithm.policy.network
    optimiser = torch.optim.Adam(network.parameters(), lr=run.learning_rate)
    slots = len(data.action)
    steps = run.epochs * math.ceil(slots / run.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / steps)
    for epoch in tqdm(range(1, run.epochs + 1), unit="epoch", desc="learning"):
        losses: list[float] = []
        for rows in np.array_split(rng.permutation(slots), math.ceil(slots / run.batch_size)):
            loss = imitation_loss(algorithm, data.observation[rows], data.action[rows], data.advantage[rows])
            optimiser.zero_grad()
            loss.backward()
            if bound := algorithm.options.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(network.parameters(), bound)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        if not np.isfinite(losses).all():
            raise ValueError("the loss is not finite any more: try a lower --learning-rate")
        yield epoch, float(np.mean(losses))


def scaled(algorithm: QMIX, advantage: np.ndarray) -> np.ndarray:
    """Returns advantages `[slots, agents, actions]` as targets of the networks: scaled like rewards.

    Where the network predicts noise, the advantages of each agent get unit standard deviation instead, like the noise.
    Much larger values would hide the noise, and much smaller ones would vanish in it.
    """
    network: Any = algorithm.policy.network
    if not network.predicts_noise:
        return advantage * np.float32(algorithm.options.reward_scale)
    exists = torch.isfinite(algorithm.policy.absent).cpu().numpy()
    deviation = advantage.std(axis=(0, 2), keepdims=True, where=exists & np.isfinite(advantage))
    return advantage / np.maximum(deviation, np.float32(1e-6))


def of_deciders(data: Shard) -> Shard:
    """Returns the epochs of a single agent each, `[decisions, 1, ...]`: those in which an agent has a choice.

    Agents that share weights learn from each other's decisions, so it does not matter which agent decided.
    """
    row, agent = np.nonzero(np.isfinite(data.advantage).any(axis=-1))
    return Shard(**{name: getattr(data, name)[row, agent][:, None] for name in ARRAYS})


def imitation_loss(algorithm: QMIX, observation: np.ndarray, action: np.ndarray, target: np.ndarray) -> Tensor:
    """Returns the mean loss of the agents' predictions, over the actions of each agent whose target is known.

    The learner's options choose the loss, by default the Huber loss; forward diffusion usually uses the squared error.
    With `mix_advantages`, only the difference between the values of an action and of the expert's `action` is learned,
    because the mixer receives differences alone. Then a denoiser learns through all its steps, as in training.
    """
    policy = algorithm.policy
    inputs = policy.encode(observation)
    network: Any = policy.network
    known = np.isfinite(target)
    x0 = torch.as_tensor(np.where(known, target, np.float32(0.0)), device=inputs.device)
    if algorithm.options.mix_advantages and not network.predicts_noise:
        values, fit_target = network(inputs, policy.generators.torch), x0
        predicted = values - values.gather(-1, torch.as_tensor(action, device=inputs.device).unsqueeze(-1))
    else:
        predicted, fit_target = network.fit(inputs, x0, policy.generators.torch)
    exists = torch.isfinite(policy.absent[: inputs.shape[1]]).expand_as(predicted)  # all alike with shared weights
    exists = exists & torch.as_tensor(known, device=inputs.device)
    return mean_loss(predicted[exists], fit_target[exists], algorithm.options)


def imitation_metrics(algorithm: QMIX, held_out: Shard) -> dict[str, float]:
    """Returns how well the agents imitate the expert in slots that they were not trained on.

    `agreement` is how often an agent's action is at least as good as the expert's. `regret` is the mean loss of reward
    if one agent alone deviates from the expert. Actions whose change is not known do not count.
    """
    chosen = greedy(algorithm, lagged=False).act(held_out.observation)
    change = np.take_along_axis(held_out.advantage, chosen[..., None], axis=-1)
    change = change[np.isfinite(change)]
    return {"agreement": float((change >= 0.0).mean()), "regret": float(-change.mean())}
