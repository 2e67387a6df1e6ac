"""The worked slots and links of an independent scalar program."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.problems.mobile_inference.street_slots import GOLDEN, inputs_of, problem_of
from tests.problems.test_golden import OWN, SHARED
from vec_envs.physics.channel import street_efficiency
from vec_envs.records import map_arrays

NAME = "mobile_inference.json"
SLOTS, LINKS = GOLDEN["slots"], GOLDEN["links"]


@pytest.mark.parametrize("case", SLOTS, ids=range(len(SLOTS)))
@pytest.mark.parametrize("batch", [(), (2, 1)])
def test_a_slot_agrees_with_the_worked_case(case: dict[str, Any], batch: tuple[int, ...]) -> None:
    problem, expected = problem_of(case["input"]), case["expected"]
    state, action, exogenous = inputs_of(case["input"], problem)
    state, exogenous = (map_arrays(lambda a: np.broadcast_to(a, (*batch, *a.shape)), r) for r in (state, exogenous))
    following, outcome = problem.transition(state, np.broadcast_to(action, (*batch, len(action))), exogenous)
    for record, values in ((following, expected["state"]), (outcome, expected["outcome"])):
        for name, value in values.items():
            found = np.asarray(getattr(record, name))
            assert found.shape == (*batch, *np.shape(value)), name
            np.testing.assert_allclose(found, np.broadcast_to(value, found.shape), rtol=1e-6, atol=1e-9, err_msg=name)


def test_links_agree_with_the_worked_cases() -> None:
    for case in LINKS:
        link = {name: value for name, value in case.items() if name != "efficiency"}
        found = street_efficiency(link.pop("distance_m"), link.pop("z1"), link.pop("z2"), **link)
        np.testing.assert_allclose(found, case["efficiency"], rtol=1e-6, err_msg=str(case))


def test_the_stored_cases_equal_the_shared_ones() -> None:
    if not (SHARED / NAME).exists():
        pytest.skip("no shared cases here")
    assert json.loads((OWN / NAME).read_text()) == json.loads((SHARED / NAME).read_text())
