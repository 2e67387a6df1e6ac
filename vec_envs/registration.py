"""The table of environments, and their registration with Gymnasium and PettingZoo."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import gymnasium
import pettingzoo

from vec_envs.interfaces.factories import EnvironmentFactory, as_loader
from vec_envs.interfaces.rendering import Draw
from vec_envs.problems.policy import References
from vec_envs.validation import did_you_mean

ENVIRONMENTS = {
    "VEC-DNNPartition-v0": "vec_envs.dnn_partition_v0",
    "VEC-TaskDiversion-v0": "vec_envs.task_diversion_v0",
    "VEC-CooperativeInference-v0": "vec_envs.cooperative_inference_v0",
    "VEC-MobileInference-v0": "vec_envs.mobile_inference_v0",
}
"""Id of an environment of this package -> module of its factory."""
_REGISTERED: dict[str, EnvironmentFactory] = {}
"""Id of an environment that a user has registered -> its factory."""


def register_all() -> None:
    """Registers every id of this package that is not yet registered."""
    for env_id, module in ENVIRONMENTS.items():
        _register_entry_points(
            env_id,
            joint=f"{module}:joint_env",
            vector=f"{module}:vector_env",
            parallel=f"{module}:parallel_env",
            aec=f"{module}:env",
        )


def register(
    env_id: str,
    problem_type: type[Any],
    *,
    default_mobility: str = "straight",
    default_scenario: str = "fdr-drive",
    references: References | None = None,
    drawing: Draw | None = None,
) -> EnvironmentFactory:
    """Registers a problem of your own with Gymnasium, PettingZoo, the learners and the benchmarks.

    Args:
        env_id: The id for `gymnasium.make`, such as `"My-Problem-v0"`.
        problem_type: A frozen dataclass that implements `vec_envs.problems.base.Problem`.
        default_mobility: The mobility if `mobility=` is not given; `"straight"` needs no SUMO.
        default_scenario: The road for `"sumo"` and `"replay"`.
        references: Policies to compare learners with.
        drawing: Draws a `Frame` into a figure of matplotlib, for `render_mode="rgb_array"`.

    Returns the factory: its methods `joint_env`, `vector_env`, `parallel_env` and `env` make the environments. Raises
    `ValueError` for an id that another problem has, and `TypeError` for a type that lacks members of `Problem`.

    Commands import your module first if the id names it: `--env-id my_module:My-Problem-v0`.
    """
    known = _REGISTERED.get(env_id)
    taken = env_id in gymnasium.registry and known is None
    if taken or (known is not None and known.problem_type.__qualname__ != problem_type.__qualname__):
        raise ValueError(f"env_id={env_id!r} is registered already: choose another id")
    factory = EnvironmentFactory(
        env_id=env_id,
        problem_type=problem_type,
        default_mobility=default_mobility,
        default_scenario=default_scenario,
        load_references=as_loader(references or References()),
        load_drawing=as_loader(drawing),
    )
    factory.check_problem_type()
    _REGISTERED[env_id] = factory
    _register_entry_points(
        env_id, joint=factory.joint_env, vector=factory.vector_env, parallel=factory.parallel_env, aec=factory.env
    )
    return factory


def factory_of(env_id: str) -> EnvironmentFactory:
    """Returns the factory of an environment; the id `"module:ID"` imports the module first, as Gymnasium does.

    Raises `ValueError` with the known ids for an unknown one, and where the module cannot be imported.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(f"the module of the environment {env_id!r} cannot be imported: {error}") from error
    if name in ENVIRONMENTS:
        return importlib.import_module(ENVIRONMENTS[name]).factory
    if name not in _REGISTERED:
        known = ", ".join(map(repr, (*ENVIRONMENTS, *_REGISTERED)))
        near = did_you_mean(name, (*ENVIRONMENTS, *_REGISTERED))
        raise ValueError(f"the environment {env_id!r} is unknown; there are {known}; your own as 'my_module:ID'{near}")
    return _REGISTERED[name]


def factory_of_problem(problem_type: type[Any]) -> EnvironmentFactory:
    """Returns the factory of a problem's type. Raises `ValueError` where it is not registered."""
    for env_id in (*ENVIRONMENTS, *_REGISTERED):
        factory = factory_of(env_id)
        if factory.problem_type is problem_type:
            return factory
    raise ValueError(
        f"{problem_type.__name__} is not registered: call vec_envs.register(env_id, {problem_type.__name__})"
    )


def _register_entry_points(
    env_id: str,
    *,
    joint: str | Callable[..., Any],
    vector: str | Callable[..., Any],
    parallel: str | Callable[..., Any],
    aec: str | Callable[..., Any],
) -> None:
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, entry_point=joint, vector_entry_point=vector, order_enforce=True)
    if not hasattr(pettingzoo, "parallel_registry"):
        return  # PettingZoo before 1.27 has no registry.
    if env_id not in pettingzoo.parallel_registry:
        pettingzoo.register("parallel", env_id, parallel)
    if env_id not in pettingzoo.aec_registry:
        pettingzoo.register("aec", env_id, aec)
