"""The signatures of the factories, which editors read."""

from __future__ import annotations

import importlib
import inspect
import pickle
from dataclasses import fields

import pytest

from vec_envs.registration import ENVIRONMENTS

OWN = {
    "parallel_env": ("padded", "illegal", "mask", "render_mode"),
    "env": ("padded", "illegal", "mask", "render_mode"),
    "joint_env": ("flatten", "render_mode"),
    "vector_env": ("num_envs", "autoreset_mode", "flatten", "render_mode", "max_episode_steps"),
}


@pytest.mark.parametrize("module_name", ENVIRONMENTS.values())
@pytest.mark.parametrize("name", OWN)
def test_signatures_list_all_options_with_their_defaults(module_name: str, name: str) -> None:
    module = importlib.import_module(module_name)
    make = getattr(module, name)
    parameters = inspect.signature(make).parameters
    of_problem = {f.name: f.default for f in fields(module.factory.problem_type)}
    assert set(parameters) == {"mobility", "scenario", "sumo_backend", "num_workers", *OWN[name], *of_problem}
    assert all(of.kind is of.KEYWORD_ONLY for of in parameters.values())
    assert {of: parameters[of].default for of in of_problem} == of_problem
    assert parameters["mobility"].default == module.factory.default_mobility
    assert pickle.loads(pickle.dumps(make)) is make
