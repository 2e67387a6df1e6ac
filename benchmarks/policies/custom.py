"""Other people's policies: from "package.module:name" to what plays.

What is named is called with the problem and returns a policy (`vec_envs.policies.Policy`): a class of theirs, or a
function around one of `benchmarks.adapters`. Three attributes of it are heeded, where it has them: `env_ids`, the
environments that it plays on; `sees`, such as `{"observation": "extended"}`, fields of the environment by which it
observes; `files`, beside its module, that it is made of, such as a checkpoint.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.policies.time_limits import at_most
from vec_envs.problems.base import View, action_shape
from vec_envs.problems.policy import Policy
from vec_envs.records import map_arrays
from vec_envs.registration import ENVIRONMENTS

_WRITTEN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
IMPORT_S = 120.0
"""How long importing their module may take."""


def is_source(name: str) -> bool:
    """Returns whether a policy's name is that of somebody's own: it has a colon."""
    return ":" in name


@cache
def maker(source: str) -> Callable[[Any], Policy]:
    """Returns what makes the policy. Raises `ValueError` where it cannot be imported, or is nothing to call."""
    module, _, name = source.partition(":")
    if not _WRITTEN.fullmatch(source):
        raise ValueError(f"the policy {source!r} is not written package.module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        with at_most(IMPORT_S, "importing it"):
            found = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # it is their code that runs
        raise ValueError(f"the policy {source!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ValueError(f"the policy {source!r} is {type(found).__name__}, not a class or function of the problem")
    return cast(Callable[[Any], Policy], found)


def plays(source: str, env_id: str) -> bool:
    """Returns whether the policy is meant for an environment. Raises `ValueError` where it names none that exists."""
    meant = getattr(maker(source), "env_ids", tuple(ENVIRONMENTS))
    if isinstance(meant, str) or not meant or not set(meant) <= set(ENVIRONMENTS):
        raise ValueError(f"env_ids={meant!r} of the policy {source!r} must be some of {', '.join(ENVIRONMENTS)}")
    return env_id in meant


def told(source: str) -> dict[str, Any]:
    """Returns what defines the policy in a result: results of another text, or of other sight, are other results."""
    sees = getattr(maker(source), "sees", {})
    return {"given": source, "sha256": fingerprint(source), **({"sees": dict(sees)} if sees else {})}


def fingerprint(source: str) -> str:
    """Returns a hash of the policy's module and of the files that it names.

    Raises `ValueError` where one is missing, or they are not a tuple of names.
    """
    found, module = maker(source), sys.modules[source.partition(":")[0]]
    file = getattr(module, "__file__", None)
    if file is None:
        raise ValueError(f"the policy {source!r} is in no file")
    files = getattr(found, "files", ())
    if isinstance(files, str):
        raise ValueError(f"files={files!r} of the policy {source!r} must be a tuple of names: ({files!r},)")
    beside = [Path(file).parent / name for name in files]
    hashed = hashlib.sha256()
    for path in (Path(file), *beside):
        if not path.is_file():
            raise ValueError(f"the policy {source!r} names the file {path.name}, which is not beside its module")
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]


def make(who: Mapping[str, Any], problem: Any) -> Guarded:
    """Returns the policy that a result's definition names, for a problem.

    Raises `ValueError` where it cannot be made, is none, or is not the one of which the definition is.
    """
    source = who["given"]
    if fingerprint(source) != who["sha256"]:
        raise ValueError(f"{source} is of other files than when this was asked for: run it anew")
    own = copy.deepcopy(problem)
    try:
        policy: Any = maker(source)(own)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{source}(problem) raised {type(error).__name__}: {error}") from error
    if not isinstance(policy, Policy):
        what = f"{type(policy).__name__}, which is no policy"
        raise ValueError(f"{source}(problem) returned {what}: it has no reset(seed) and act(observation, view)")
    return Guarded(policy, own)


class Guarded:
    """A policy whose every answer is looked at: what it raises, and what is no action, becomes a `ValueError`.

    It is shown copies: what it writes into them changes nothing.
    """

    def __init__(self, policy: Policy, problem: Any) -> None:
        self._policy, self._problem, self._shape = policy, problem, action_shape(problem)
        self.decided_s = 0.0
        """CPU time of the last decision, without what guards it."""

    def reset(self, seed: int) -> None:
        """Starts anew."""
        try:
            self._policy.reset(seed)
        except (Exception, SystemExit) as error:
            raise ValueError(f"the policy's reset({seed}) raised {type(error).__name__}: {error}") from error

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the actions. Raises `ValueError` for ones of wrong shape, or that are no finite numbers."""
        shown = None if view is None else self._copy(view)
        try:
            began = time.thread_time()
            given = self._policy.act(observation.copy(), shown)
            self.decided_s = time.thread_time() - began
            action = np.asarray(given)
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
