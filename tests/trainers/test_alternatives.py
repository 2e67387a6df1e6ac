"""What learners choose from: no cut beyond the own DNN's, no unit out of range, and what each one means."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.alternatives import CutAndUnit
from vec_envs import task_diversion_v0
from vec_envs.problems.task_diversion import TaskDiversion

CHOSEN = task_diversion_v0.door.problem(diversion="chosen")
ASKED = task_diversion_v0.door.problem(observation="extended")


def observed(problem: TaskDiversion, dnn: np.ndarray, *rates_mbps: float) -> np.ndarray:
    seen = np.zeros((len(dnn), 1, problem.observation_size), np.float32)
    seen[np.arange(len(dnn)), 0, 2 + dnn] = 1.0
    for unit, rate_mbps in enumerate(rates_mbps):
        first = 10 + unit * (4 if problem.observation == "paper" else 7)
        seen[:, 0, first : first + 2] = rate_mbps > 0.0, rate_mbps / 200.0
    return seen


@pytest.mark.parametrize(("problem", "units"), [(ASKED, 1), (CHOSEN, 2)])
def test_every_cut_of_the_tasks_own_dnn_is_there_at_every_unit(problem: TaskDiversion, units: int) -> None:
    present = CutAndUnit(problem).present(observed(problem, np.arange(4), 90.0, 60.0)[:, :, : problem.observation_size])
    assert present.sum(-1).tolist() == (units * (problem.num_layers + 1)).tolist()
    assert (np.diff(present.astype(int), axis=-1) <= 0).all()


def test_units_out_of_range_are_no_alternatives() -> None:
    one = CutAndUnit(CHOSEN).present(observed(CHOSEN, np.arange(4), 90.0, 0.0))
    assert not one[:, 1::2].any()
    assert one[:, ::2].sum(-1).tolist() == (CHOSEN.num_layers + 1).tolist()
    for problem in (CHOSEN, ASKED):
        none = CutAndUnit(problem).present(observed(problem, np.arange(4)))
        units = 2 if problem is CHOSEN else 1
        assert [np.flatnonzero(row).tolist() for row in none] == [[units * layers] for layers in problem.num_layers]


@pytest.mark.parametrize("problem", [ASKED, CHOSEN])
def test_an_alternative_is_taken_as_its_cut_and_unit_with_the_numbers_beside_it(problem: TaskDiversion) -> None:
    alternatives, units = CutAndUnit(problem), 2 if problem is CHOSEN else 1
    for dnn in range(4):
        index = np.arange(units * (problem.num_layers[dnn] + 1))
        types = np.full(len(index), dnn)
        numbers = np.random.default_rng(dnn).uniform(-1.0, 1.0, (len(index), 2)).astype(np.float32)
        action = alternatives.taken(index, numbers, observed(problem, types))
        assert (action.shape, action.dtype) == ((len(index), 1, problem.actions.size), np.float32)
        problem.checked_action(action)
        cut, _, _ = problem.decode(action[:, 0], types)
        assert cut.tolist() == (index // units).tolist()
        assert (action[:, 0, 1:3] == numbers).all()
        if units == 2:
            assert (action[:, 0, 3] >= 0.0).tolist() == (index % 2 == 1).tolist()


def test_effects_are_what_the_task_would_take() -> None:
    rates = {ASKED: (80.0,), CHOSEN: (80.0, 40.0)}
    for problem, rate_mbps in rates.items():
        units = len(rate_mbps)
        effects = CutAndUnit(problem).effects(observed(problem, np.arange(4), *rate_mbps))
        assert effects.dtype == np.float32
        for dnn, profile in enumerate(problem.profiles):
            for cut in range(profile.num_layers + 1):
                for unit in range(units):
                    part, sends, *sizes = effects[dnn, units * cut + unit]
                    sent = profile.cut_mbit[cut]
                    expected = [profile.local_gflops[cut], profile.edge_gflops[cut], sent, sent / rate_mbps[unit]]
                    np.testing.assert_allclose(np.expm1(sizes), expected, rtol=1e-4, atol=1e-5)
                    assert (part, sends) == (pytest.approx(cut / profile.num_layers), float(cut < profile.num_layers))
