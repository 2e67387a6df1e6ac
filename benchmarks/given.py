"""Other people's policies: from "package.module:name" to what plays.

What is named is called with the problem and returns a policy (`vec_envs.policies.Policy`): a class of theirs, or a
function around one of `benchmarks.adapters`. Where it has `env_ids`, it plays on the environments of those ids alone;
where it has `sees`, such as `{"observation": "extended"}`, it observes by these fields of the environment.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from vec_envs.policies.policy import Policy
from vec_envs.problems.problem import View, action_shape

MAKES_NO_POLICY = (
    "{source}(problem) returned {what}, which is no policy: it has no reset(seed) and act(observation, view)"
)


def is_source(name: str) -> bool:
    """Returns whether a policy's name is that of somebody's own: it has a colon."""
    return ":" in name


@cache
def maker(source: str) -> Callable[[Any], Policy]:
    """Returns what makes the policy. Raises `ValueError` where it cannot be imported, or is nothing to call."""
    module, _, name = source.partition(":")
    if "" in (*module.split("."), name):
        raise ValueError(f"the policy {source!r} is not written package.module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # it is their code that runs
        raise ValueError(f"the policy {source!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ValueError(f"the policy {source!r} is {type(found).__name__}, not a class or function of the problem")
    return cast(Callable[[Any], Policy], found)


def plays(source: str, env_id: str) -> bool:
    """Returns whether the policy is meant for an environment."""
    return env_id in getattr(maker(source), "env_ids", (env_id,))


def told(source: str) -> dict[str, Any]:
    """Returns what defines the policy in a result: results of another text, or of other sight, are other results."""
    sees = getattr(maker(source), "sees", {})
    return {"given": source, "sha256": fingerprint(source), **({"sees": dict(sees)} if sees else {})}


def fingerprint(source: str) -> str:
    """Returns a hash of the file that the policy is in; "" where it is in none."""
    file = inspect.getsourcefile(sys.modules[maker(source).__module__])
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""


def make(source: str, problem: Any) -> Policy:
    """Returns the policy for a problem. Raises `ValueError` where it cannot be made, or is none."""
    try:
        policy: Any = maker(source)(problem)
    except Exception as error:
        raise ValueError(f"{source}(problem) raised {type(error).__name__}: {error}") from error
    if not isinstance(policy, Policy):
        raise ValueError(MAKES_NO_POLICY.format(source=source, what=type(policy).__name__))
    return policy


class Guarded:
    """A policy whose every answer is looked at: what it raises, and what is no action, becomes a `ValueError`."""

    def __init__(self, policy: Policy, problem: Any) -> None:
        self._policy, self._shape = policy, action_shape(problem)

    def reset(self, seed: int) -> None:
        """Starts anew."""
        try:
            self._policy.reset(seed)
        except Exception as error:
            raise ValueError(f"the policy's reset({seed}) raised {type(error).__name__}: {error}") from error

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the actions. Raises `ValueError` for ones of wrong shape, or that are no finite numbers."""
        try:
            action = np.asarray(self._policy.act(observation, view))
        except Exception as error:
            raise ValueError(f"the policy's act raised {type(error).__name__}: {error}") from error
        expected = (len(observation), *self._shape)
        if action.shape != expected:
            raise ValueError(f"the policy's actions have shape {action.shape}, not {expected}")
        if action.dtype.kind not in "iuf" or not np.isfinite(action).all():
            raise ValueError(f"the policy's actions are not finite numbers (dtype {action.dtype})")
        return action
