"""Episodes of different lengths: their sums, and the transitions that go to the replay buffer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainers import sac
from trainers.loop.episodes import DecisionChains, Step, Tally, step
from trainers.loop.training import Training
from trainers.runs.command_line import parse
from trainers.runs.directory import RunDirectory
from vec_envs import dnn_partition_v0, task_diversion_v0
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import Metric


def played(running: list[bool], reward: list[float], cost: list[float]) -> Step:
    return Step(
        running=np.array(running),
        reward=np.array(reward),
        next_observation=np.zeros((2, 1, 1), np.float32),
        chain=np.zeros(2, int),
        metrics={"cost": np.array(cost)},
    )


def test_an_environment_counts_its_own_decisions_alone() -> None:
    tally = Tally((Metric(name="cost", unit=""),), 2)
    tally.add(played([True, True], [1.0, 2.0], [10.0, 20.0]))
    tally.add(played([True, False], [3.0, np.nan], [30.0, np.nan]))
    assert tally.returns.tolist() == [4.0, 2.0]
    assert tally.decisions.tolist() == [2, 1]
    assert tally.means()["cost"].tolist() == [20.0, 20.0]
    assert tally.last["cost"].tolist() == [30.0, 20.0]


def test_an_environment_without_decisions_has_means_of_zero() -> None:
    tally = Tally((Metric(name="cost", unit=""),), 2)
    tally.add(played([True, False], [1.0, np.nan], [10.0, np.nan]))
    assert tally.means()["cost"].tolist() == [10.0, 0.0]


FIELDS = sac.LEARNER.presets["tuned"].env["VEC-TaskDiversion-v0"]


def vector_env(num_envs: int) -> BatchVectorEnv:
    return task_diversion_v0.factory.vector_env(
        num_envs=num_envs, mobility="replay", num_client_vehicles=4, episode_slots=12
    )


def test_environments_end_one_by_one_and_stay_unchanged() -> None:
    env = vector_env(4)
    env.reset(seed=3)
    batch, ends = env.batch, np.zeros(4, int)
    while not batch.ended.all():
        before = batch.ended
        result = step(batch, np.full((4, 1, 3), 0.5, np.float32))
        assert (result.running == ~before).all()
        ends += result.running
    assert len(set(ends.tolist())) > 1
    env.close()


def test_decisions_are_joined_to_the_next_one_at_their_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--env.mobility", "replay", "--num-envs", "4", "--episodes", "8", "--learner.warm-up-episodes", "4"]
    run = parse(sac.LEARNER, [*options, "--learner.hidden", "8", "--learner.updates-per-step", "0.01"])
    env = task_diversion_v0.factory.vector_env(
        num_envs=4, mobility="replay", num_client_vehicles=4, episode_slots=12, **FIELDS
    )
    training = Training(sac.LEARNER, run, RunDirectory(tmp_path), env)
    kept: list[tuple[Any, ...]] = []
    waits: dict[tuple[int, int], tuple[Any, ...]] = {}
    lengths: list[int] = []
    batch_step = EnvironmentBatch.step

    def spied(self: EnvironmentBatch, action: np.ndarray) -> Any:
        rows, observation = np.flatnonzero(~self.ended), self.observe()
        unit = self.problem.request(self.state, self.exogenous).unit
        outcome = batch_step(self, action)
        lengths.append(len(rows))
        for row in rows[unit[rows] >= 0]:
            waits[row, int(unit[row])] = (observation[row], action[row, 0], outcome.reward[row])
        following, unit = self.observe(), self.problem.request(self.state, self.exogenous).unit
        kept.extend((*waits.pop((row, int(unit[row]))), following[row]) for row in rows if (row, unit[row]) in waits)
        return outcome

    monkeypatch.setattr(EnvironmentBatch, "step", spied)
    metrics = training.play_round()
    assert len(set(lengths)) > 1, "all environments ended together: nothing is shown"
    assert 0 < len(kept) < sum(lengths), "no decision is the last at its unit: nothing is shown"
    fields = training.experience.state_dict()["buffer"]["fields"]
    taken = training.algorithm.policy.environment_action(fields["act"].numpy(), fields["obs"].numpy())
    fields["act"] = torch.from_numpy(taken[:, 0])
    for name, rows in zip(("obs", "act", "rew", "obs_next"), zip(*kept, strict=True), strict=True):
        np.testing.assert_array_equal(fields[name].numpy(), np.array(rows, np.float32), err_msg=name)
    assert not fields["terminated"].any()
    assert metrics["return_mean"] < 0.0
    env.close()


def test_where_all_decide_together_a_decision_is_stored_with_the_next_slot() -> None:
    env = dnn_partition_v0.vector_env(num_envs=2, mobility="straight", num_client_vehicles=2, episode_slots=3)
    env.reset(seed=0)
    rows, observation = DecisionChains(env.batch), env.batch.observe()
    while not env.batch.ended.all():
        action = np.zeros((2, 2), int)
        result = step(env.batch, action)
        joined = rows.join(observation, action, result)
        np.testing.assert_array_equal(joined.observation, observation)
        np.testing.assert_array_equal(joined.next_observation, result.next_observation)
        np.testing.assert_array_equal(joined.reward, result.reward)
        observation = result.next_observation
    env.close()


def test_decisions_that_choose_their_unit_are_stored_with_the_next_one_there() -> None:
    fields = {"diversion": "chosen", "num_client_vehicles": 12, "episode_slots": 30}
    env = task_diversion_v0.vector_env(num_envs=2, mobility="straight", **fields)
    env.reset(seed=0)
    rows, observation, number = DecisionChains(env.batch), env.batch.observe(), np.arange(2)
    waits: dict[tuple[int, int], tuple[Any, ...]] = {}
    decided = kept = elsewhere = 0
    rng = np.random.default_rng(0)
    while not env.batch.ended.all():
        result = step(env.batch, rng.uniform(-1.0, 1.0, (2, 1, 4)))
        joined = rows.join(observation, number, result)
        now = env.problem.chain(env.batch.state, env.batch.exogenous)
        running = np.flatnonzero(result.running)
        at = {b: (b, int(result.chain[b])) for b in running if result.chain[b] >= 0}
        chosen = [(*waits.pop(at[b]), observation[b]) for b in at if at[b] in waits]
        waits |= {at[b]: (observation[b], number[b], result.reward[b]) for b in at}
        nearest = [
            (*waits.pop((b, int(now[b]))), result.next_observation[b]) for b in running if (b, int(now[b])) in waits
        ]
        assert len(joined.reward) == len(chosen) + len(nearest)
        for n, of in enumerate([*chosen, *nearest]):
            for name, value in zip(("observation", "action", "reward", "next_observation"), of, strict=True):
                np.testing.assert_array_equal(getattr(joined, name)[n], value, err_msg=name)
        decided, kept, elsewhere = decided + len(at), kept + len(joined.reward), elsewhere + len(chosen)
        observation, number = result.next_observation, number + 2
    assert elsewhere > 5, "no chain was continued by a choice of the unit: nothing is shown"
    assert decided == kept + len(waits), "a decision is stored, or the last of its chain"
    assert len(waits) <= 2 * 4
    env.close()
