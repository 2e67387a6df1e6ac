"""Policies of users: imported from "package.module:name", and guarded while they play.

The source names a class or function that is called with the problem and returns a policy (`vec_envs.policies.Policy`).
An example is a function that uses one of `benchmarks.adapters`. Three attributes of the class or function are optional:

- `env_ids`: the ids of the environments that the policy plays on, as a tuple. Without it, the policy plays on all.
- `sees`: options of the environment by which the policy observes, such as `{"observation": "extended"}`.
- `files`: a tuple of names of files beside the module that the policy needs, such as a checkpoint.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.policies.importing import import_in_time
from vec_envs.mobility.contents import hash_of_files
from vec_envs.problems.base import View, action_shape
from vec_envs.problems.policy import Policy, mask_keyword
from vec_envs.records import map_arrays
from vec_envs.registration import factory_of


@cache
def policy_maker(source: str) -> Callable[[Any], Policy]:
    """Returns the class or function that makes the policy of a source.

    Raises `ValueError` where it cannot be imported, or cannot be called.
    """
    found = import_in_time(source, "policy")
    if not callable(found):
        raise ValueError(f"the policy {source!r} must be a class or function, got {type(found).__name__}")
    return cast(Callable[[Any], Policy], found)


def plays_on(source: str, env_id: str) -> bool:
    """Returns whether the policy plays on an environment. Raises `ValueError` where `env_ids` names an unknown one."""
    env_ids: Any = getattr(policy_maker(source), "env_ids", None)
    if env_ids is None:
        return True
    if isinstance(env_ids, str) or not env_ids:
        raise ValueError(f"env_ids={env_ids!r} of the policy {source!r} must be a tuple of ids of environments")
    for known_id in env_ids:
        try:
            factory_of(known_id)
        except ValueError as error:
            raise ValueError(f"env_ids={env_ids!r} of the policy {source!r}: {error}") from error
    return _without_module(env_id) in map(_without_module, env_ids)


def _without_module(env_id: str) -> str:
    """Returns "My-v0" for "my_module:My-v0"."""
    return env_id.rpartition(":")[2]


def definition_of(source: str) -> dict[str, Any]:
    """Returns the definition of the policy in a result's file.

    A change of the files or of `sees` changes the definition, so that earlier results do not belong to it.
    """
    sees = getattr(policy_maker(source), "sees", {})
    return {"given": source, "sha256": fingerprint(source), **({"sees": dict(sees)} if sees else {})}


def fingerprint(source: str) -> str:
    """Returns a hash of the policy's module and of its `files`.

    Raises `ValueError` where one of them is missing, or `files` is not a tuple of names.
    """
    maker, module = policy_maker(source), sys.modules[source.partition(":")[0]]
    module_file = getattr(module, "__file__", None)
    if module_file is None:
        raise ValueError(f"the policy {source!r} must be defined in a file")
    files = getattr(maker, "files", ())
    if isinstance(files, str):
        raise ValueError(f"files={files!r} of the policy {source!r} must be a tuple of names: ({files!r},)")
    paths = (Path(module_file), *(Path(module_file).parent / name for name in files))
    for path in paths:
        if not path.is_file():
            raise ValueError(f"the policy {source!r} names the file {path.name}, which is not beside its module")
    return hash_of_files(paths)


def make_policy(definition: Mapping[str, Any], problem: Any) -> GuardedPolicy:
    """Returns the policy of a definition (see `definition_of`) for a problem.

    Raises `ValueError` where it cannot be made, is not a policy, or its files have changed since the definition.
    """
    source = definition["given"]
    if fingerprint(source) != definition["sha256"]:
        raise ValueError(f"the files of {source} have changed since this job was planned: run benchmarks.run again")
    own_problem = copy.deepcopy(problem)
    try:
        policy: Any = policy_maker(source)(own_problem)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{source}(problem) raised {type(error).__name__}: {error}") from error
    if not isinstance(policy, Policy):
        raise ValueError(
            f"{source}(problem) returned {type(policy).__name__}, which is not a policy: it needs reset(seed) and "
            "act(observation, view)"
        )
    return GuardedPolicy(policy, own_problem)


class GuardedPolicy:
    """A policy whose exceptions and invalid actions become a `ValueError`.

    It gets copies of observations, states and exogenous records, so that it cannot change the environment.
    """

    def __init__(self, policy: Policy, problem: Any) -> None:
        self._policy, self._problem, self._shape = policy, problem, action_shape(problem)
        self.decided_s = 0.0
        """CPU time of the last decision in seconds, without the time for copies and checks."""

    def reset(self, seed: int) -> None:
        """Starts an episode. Raises `ValueError` where the policy raises anything."""
        try:
            self._policy.reset(seed)
        except (Exception, SystemExit) as error:
            raise ValueError(f"the policy's reset({seed}) raised {type(error).__name__}: {error}") from error

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the actions. Raises `ValueError` for a wrong shape, and for values that are not finite numbers."""
        own_view = None if view is None else self._copy(view)
        try:
            mask = {} if own_view is None else mask_keyword(self._policy, own_view)
            began = time.thread_time()
            returned = self._policy.act(observation.copy(), own_view, **mask)
            self.decided_s = time.thread_time() - began
            action = np.asarray(returned)
        except (Exception, SystemExit) as error:
            raise ValueError(f"the policy's act raised {type(error).__name__}: {error}") from error
        expected = (len(observation), *self._shape)
        if action.shape != expected:
            raise ValueError(f"the policy's actions have shape {action.shape}, not {expected}")
        if action.dtype.kind not in "iuf" or not np.isfinite(action).all():
            raise ValueError(f"the policy's actions are not finite numbers (dtype {action.dtype})")
        return action

    def _copy(self, view: View) -> View:
        state, exogenous = (map_arrays(np.copy, record) for record in (view.state, view.exogenous))
        return View(problem=self._problem, state=state, exogenous=exogenous)
