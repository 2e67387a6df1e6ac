"""Runs as short as they can be, of every learner, and what they leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from trainers import dqn, ppo, qmix, qmix_diffusion, sac
from trainers.loop.training import main
from trainers.runs.command_line import parse
from trainers.runs.directory import RunDirectory

SMALL = [
    *("--env.mobility", "straight", "--env.num-client-vehicles", "2", "--env.num-service-vehicles", "1"),
    *("--learner.hidden", "16", "--learner.batch-size", "16", "--learner.warm-up-episodes", "0", "--num-envs", "4"),
    *("--learner.hypernetwork-hidden", "8", "--threads", "1", "--device", "cpu", "--env.episode-slots", "6"),
]
SMALL_TASKS = [
    *("--env.mobility", "replay", "--env.num-client-vehicles", "3", "--env.episode-slots", "8", "--num-envs", "4"),
    *("--learner.hidden", "16", "--learner.batch-size", "16", "--learner.warm-up-episodes", "4"),
    *("--threads", "1", "--device", "cpu"),
]
SMALL_STREAMS = [
    *("--env.episode-slots", "6", "--num-envs", "4", "--learner.hidden", "8", "--learner.batch-size", "8"),
    *("--learner.steps", "4", "--threads", "1", "--device", "cpu"),
]
MODULES = {"qmix": qmix, "qmix_diffusion": qmix_diffusion, "sac": sac, "dqn": dqn, "ppo": ppo}
ARGUMENTS = {"qmix": SMALL, "qmix_diffusion": SMALL, "sac": SMALL_TASKS, "dqn": SMALL_TASKS}
ARGUMENTS["ppo"] = SMALL_STREAMS
FIGURES = {
    "qmix": ("completion_time_s_mean", "backlog_gcycles_mean", "backlog_gcycles_final"),
    "sac": ("cost_mean", "time_s_mean", "energy_j_mean", "vehicle_energy_j_mean", "missed_mean", "offloaded_mean"),
}
FIGURES["ppo"] = ("delay_s_mean", "energy_j_mean", "memory_gb_mean", "energy_queue_mean", "energy_queue_final")
FIGURES |= {"qmix_diffusion": FIGURES["qmix"], "dqn": FIGURES["sac"]}
TO_BEAT = {"qmix": "best-response-drift", "sac": "gbs-best", "ppo": "optimum"}
TO_BEAT |= {"qmix_diffusion": TO_BEAT["qmix"], "dqn": TO_BEAT["sac"]}


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = RunDirectory(path).load_checkpoint()["algorithm"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def optimisers(path: Path) -> str:
    return str(RunDirectory(path).load_checkpoint()["algorithm"]["_optimizers"])


def metrics(path: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "round_s"} for row in rows]


def run(learner: str, output: Path, *more: str) -> None:
    known = MODULES[learner].LEARNER
    main(known, parse(known, [*ARGUMENTS[learner], "--output", str(output), *more]))
