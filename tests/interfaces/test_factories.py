"""The signatures of the factories, which editors read.

`pyright` checks the calls in this file as an editor does: it must refuse each line that is marked, and no other.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import importlib
import inspect
import pickle
from dataclasses import fields
from typing import assert_type

import pytest

from vec_envs import cooperative_inference_v0, dnn_partition_v0, mobile_inference_v0, task_diversion_v0
from vec_envs.interfaces.aec_env import AgentTurns
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.interfaces.slot_env import SlotEnv
from vec_envs.interfaces.vector_env import BatchVectorEnv
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
    assert parameters["scenario"].default == module.factory.default_scenario
    method = getattr(module.factory, "parallel_env" if name == "env" else name)
    of_factory = inspect.signature(method).parameters | inspect.signature(module.factory.traffic).parameters
    same = (*OWN[name], "sumo_backend", "num_workers")
    assert {of: parameters[of].default for of in same} == {of: of_factory[of].default for of in same}
    assert pickle.loads(pickle.dumps(make)) is make


def test_a_type_checker_knows_what_a_factory_returns() -> None:
    agents = dnn_partition_v0.parallel_env(mobility="replay", num_client_vehicles=3, padded=True)
    assert_type(agents, SimultaneousEnv | SlotEnv)
    assert_type(cooperative_inference_v0.env(lyapunov_v=1.0), AgentTurns)
    assert_type(mobile_inference_v0.joint_env(mobility="replay", flatten=True), JointEnv)
    assert_type(task_diversion_v0.vector_env(mobility="replay", num_envs=2, num_rsus=3), BatchVectorEnv)


def test_a_type_checker_refuses_what_a_factory_refuses() -> None:
    with pytest.raises(TypeError, match="did you mean num_client_vehicles"):
        dnn_partition_v0.parallel_env(num_clients=3)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="padded"):
        dnn_partition_v0.joint_env(padded=True)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="num_service_vehicles"):
        task_diversion_v0.vector_env(num_service_vehicles=3)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ValueError, match="num_client_vehicles"):
        mobile_inference_v0.env(num_client_vehicles="3")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="lyapunov_v"):
        cooperative_inference_v0.joint_env(lyapunov_v="large")  # pyright: ignore[reportArgumentType]
