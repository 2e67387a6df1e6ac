"""The public names are those of `public_api.txt`, so that none appears or goes unnoticed."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from vec_envs.registration import ENVIRONMENTS, factory_of

LIST = Path(__file__).with_name("public_api.txt")
MODULES = (
    "vec_envs",
    "vec_envs.dnn",
    "vec_envs.mobility",
    "vec_envs.physics.allocation",
    "vec_envs.physics.channel",
    "vec_envs.policies",
    "vec_envs.problems.abilities",
    "vec_envs.problems.base",
    "vec_envs.problems.policy",
    "vec_envs.problems.scenes",
    *ENVIRONMENTS.values(),
    *(factory_of(env_id).problem_type.__module__.rpartition(".")[0] for env_id in ENVIRONMENTS),
)


def public_names(module: ModuleType) -> set[str]:
    """Returns `__all__` of a module, or the names without an underscore that its own text defines."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    names: set[str] = set()
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def found() -> set[str]:
    """Returns the public names, each as `module: name`."""
    return {f"{module}: {name}" for module in MODULES for name in public_names(importlib.import_module(module))}


def test_public_names_are_those_of_the_list() -> None:
    listed = LIST.read_text().splitlines()
    assert listed == sorted(set(listed)), f"sort {LIST.name}, and name everything once"
    appeared, gone = sorted(found() - set(listed)), sorted(set(listed) - found())
    assert not appeared + gone, (
        f"The public names have changed. Appeared: {appeared}. Gone: {gone}. "
        f"If this is intended, update tests/{LIST.name} and tell users in CHANGELOG.md."
    )


@pytest.mark.parametrize("module", MODULES)
def test_public_names_exist(module: str) -> None:
    of = importlib.import_module(module)
    assert [name for name in public_names(of) if not hasattr(of, name)] == []
