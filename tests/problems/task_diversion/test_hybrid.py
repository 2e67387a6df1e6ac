"""What learners choose from: no cut beyond the own DNN's, no unit out of range, and what each one means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vec_envs import task_diversion_v0
from vec_envs.problems.task_diversion.hybrid import CutAndUnit
from vec_envs.problems.task_diversion.problem import TaskDiversion

torch: Any = pytest.importorskip("torch")

CHOSEN = task_diversion_v0.factory.problem(diversion="chosen")
ASKED = task_diversion_v0.factory.problem(observation="extended")


def observed(problem: TaskDiversion, dnn: np.ndarray, *rates_mbps: float) -> np.ndarray:
    observation = np.zeros((len(dnn), 1, problem.observation_size), np.float32)
    observation[np.arange(len(dnn)), 0, 2 + dnn] = 1.0
    for unit, rate_mbps in enumerate(rates_mbps):
        first = 10 + unit * (4 if problem.observation == "paper" else 7)
        observation[:, 0, first : first + 2] = rate_mbps > 0.0, rate_mbps / 200.0
    return observation


@pytest.mark.parametrize(("problem", "units"), [(ASKED, 1), (CHOSEN, 2)])
def test_every_cut_of_the_tasks_dnn_is_legal_at_every_unit(problem: TaskDiversion, units: int) -> None:
    present = CutAndUnit(problem).present(observed(problem, np.arange(4), 90.0, 60.0)[:, :, : problem.observation_size])
    assert present.sum(-1).tolist() == (units * (problem.num_layers + 1)).tolist()
    assert (np.diff(present.astype(int), axis=-1) <= 0).all()


def test_alternatives_with_units_out_of_range_are_illegal() -> None:
    one = CutAndUnit(CHOSEN).present(observed(CHOSEN, np.arange(4), 90.0, 0.0))
    assert not one[:, 1::2].any()
    assert one[:, ::2].sum(-1).tolist() == (CHOSEN.num_layers + 1).tolist()
    for problem in (CHOSEN, ASKED):
        none = CutAndUnit(problem).present(observed(problem, np.arange(4)))
        units = 2 if problem is CHOSEN else 1
        assert [np.flatnonzero(row).tolist() for row in none] == [[units * layers] for layers in problem.num_layers]


@pytest.mark.parametrize("problem", [ASKED, CHOSEN])
def test_an_alternative_becomes_its_cut_unit_and_parameters(problem: TaskDiversion) -> None:
    alternatives, units = CutAndUnit(problem), 2 if problem is CHOSEN else 1
    for dnn in range(4):
        index = np.arange(units * (problem.num_layers[dnn] + 1))
        types = np.full(len(index), dnn)
        numbers = np.random.default_rng(dnn).uniform(-1.0, 1.0, (len(index), 2)).astype(np.float32)
        action = alternatives.action(index, numbers, observed(problem, types))
        assert (action.shape, action.dtype) == ((len(index), 1, problem.actions.size), np.float32)
        problem.action.checked(action)
        cut, _, _ = problem.action.decode(action[:, 0], types)
        assert cut.tolist() == (index // units).tolist()
        assert (action[:, 0, 1:3] == numbers).all()
        if units == 2:
            assert (action[:, 0, 3] >= 0.0).tolist() == (index % 2 == 1).tolist()


def test_terms_are_the_work_and_transmission_time_of_each_cut() -> None:
    rates = {ASKED: (80.0,), CHOSEN: (80.0, 40.0)}
    for problem, rate_mbps in rates.items():
        units = len(rate_mbps)
        terms = CutAndUnit(problem).terms(observed(problem, np.arange(4), *rate_mbps))
        assert terms.dtype == np.float32
        for dnn, profile in enumerate(problem.profiles):
            for cut in range(profile.num_layers + 1):
                for unit in range(units):
                    sent_s = profile.cut_mbit[cut] / rate_mbps[unit]
                    expected = [profile.local_gflops[cut], profile.edge_gflops[cut], sent_s, cut < profile.num_layers]
                    np.testing.assert_allclose(terms[dnn, units * cut + unit, :4], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"reward": "excess", "observation": "extended"},
        {"reward": "cost", "deadline_factor": (0.6, 1.2), "deadline_penalty": 2.5},
        {"diversion": "chosen", "reward": "excess", "observation": "extended", "battery_factor": False},
        {"kappa_j_per_gcycle_ghz2": 4.0, "beta": 3e-3, "transmit_power_w": 50.0, "rsu_range_m": 150.0},
    ],
)
def test_consequences_are_the_reward_and_the_effects(options: dict[str, object]) -> None:
    """In random episodes, known rewards and effects equal the rewards and queues of `transition`."""
    env = task_diversion_v0.vector_env(num_envs=16, mobility="replay", episode_slots=12, **options)
    env.reset(seed=3)
    batch, problem = env.batch, env.problem
    alternatives = CutAndUnit(problem)
    rng, row = np.random.default_rng(0), np.arange(16)
    sent = 0
    while not batch.ended.all():
        observation, running = batch.observe(), ~batch.ended
        lots = np.where(alternatives.present(observation), rng.random((16, alternatives.count)), -1.0)
        index, numbers = lots.argmax(-1), rng.uniform(-1.0, 1.0, (16, 2)).astype(np.float32)
        terms = torch.from_numpy(alternatives.terms(observation)[row, index])
        reward, left = alternatives.consequences(terms, torch.from_numpy(numbers))
        action = alternatives.action(index, numbers, observation)
        action[~running] = 0.0
        outcome = batch.step(action)
        sent += outcome.offloaded[running].sum()
        near = {"rtol": 1e-4, "atol": 1e-4}
        # the environment's reference cost uses the battery level on entry, not the present one
        exact = running & ((problem.reward == "cost") | (outcome.battery > 1.0 / 3.0))
        tolerance = near if problem.reward == "cost" else {"rtol": 0.0, "atol": 0.05}
        np.testing.assert_allclose(reward.numpy()[exact], outcome.reward[exact], **tolerance)
        wait_s, local_s = np.expm1(left[:, 0].numpy()), np.expm1(left[:, 1].numpy())
        then_s = np.where(outcome.offloaded, outcome.task.time_s, outcome.queue_s)
        asked = running & (outcome.unit >= 0)
        np.testing.assert_allclose(wait_s[asked], then_s[asked], **near)
        np.testing.assert_allclose(local_s[running], outcome.task.local_s[running], **near)
        np.testing.assert_allclose(1e3 * left[running, 2], outcome.task.vehicle_energy_j[running], rtol=1e-4, atol=1e-2)
    assert sent > 100


def test_consequences_have_the_slopes_of_the_cost() -> None:
    problem = task_diversion_v0.factory.problem(reward="cost", deadline_penalty=0.0)
    rng = np.random.default_rng(1)
    task = {"dnn": 1, "cut": 7, "rate_mbps": 60.0, "queue_s": 0.5, "battery": 0.4}
    observation = observed(problem, np.array([1]), 60.0)
    observation[0, 0, 3 + 4], observation[0, 0, 12] = 0.4, 0.05
    terms = torch.from_numpy(CutAndUnit(problem).terms(observation)[:, 7])
    for numbers in rng.uniform(-0.9, 0.9, (20, 2)):
        given = torch.tensor(numbers[None], dtype=torch.float32, requires_grad=True)
        CutAndUnit(problem).consequences(terms, given)[0].sum().backward()
        for side in range(2):
            costs = []
            for step in (-1e-4, 1e-4):
                shifted = numbers + step * (np.arange(2) == side)
                _, own, unit = problem.action.decode(np.array([[0.0, *shifted]]), np.array([1]))
                costs.append(problem.task_outcome(**task, vehicle_ghz=own, rsu_ghz=unit).cost.item())
            assert given.grad[0, side].item() == pytest.approx(-(costs[1] - costs[0]) / 2e-4, rel=2e-3, abs=2e-3)
