"""Holds each call of a function of `vec_envs` against its annotations, among them the shapes of arrays.

It finds what `jaxtyping.jaxtyped` finds, at less than half of its cost: it checks an argument once instead of twice,
binds no signature, and builds the check of a function at its first call.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

OWN_WORDS = (
    "BestResponse.__init__",
    "CheapestCut.__init__",
    "CooperativeInference.__init__",
    "DNNPartition.__init__",
    "DNNProfile.__init__",
    "DNNProfile.from_torch",
    "DNNProfile.load",
    "EnvironmentFactory.parallel_env",
    "EnvironmentFactory.traffic",
    "EnvironmentFactory.vector_env",
    "ExactSlot.__init__",
    "BatchVectorEnv.__init__",
    "Layer.__init__",
    "MobileInference.__init__",
    "SimultaneousEnv.__init__",
    "SimultaneousEnv._check_agents",
    "SimultaneousEnv.step",
    "Scenario.load",
    "SlotEnv._checked",
    "SlotEnv.step",
    "StraightMobility.__init__",
    "SumoMobility.__init__",
    "TaskDiversion.__init__",
    "as_profiles",
    "check_sumo_options",
    "make_mobility",
)

JAXTYPED = jaxtyping.jaxtyped
ONE_CALL = JAXTYPED("context")
"""Within it the name of an axis stands for one length."""
TYPES = BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError)


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    """Returns the type that an annotation means, or `Any` if a name in it is imported for type checkers only."""
    holder = type("Holder", (), {"__annotations__": {"value": annotation}})
    try:
        return get_type_hints(holder, names, include_extras=True)["value"]
    except Exception:
        return Any


def _with_checks(function: types.FunctionType) -> types.FunctionType:
    """Returns the function with checks of its arguments and of its result."""
    names = function.__globals__
    typed = _copied(function, names)
    typed.__annotations__ = {name: _resolved(value, names) for name, value in function.__annotations__.items()}
    checking = beartype(conf=TYPES)(typed)
    # With `stacklevel=2` a function warns its caller. The check between them must not pass for a part of `vec_envs`,
    # whose own warnings are errors.
    return function if checking is typed else _copied(checking, {"__name__": __name__})


def _copied(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    """Returns a copy of the function that finds its global names in `names`."""
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def checked(function: types.FunctionType) -> Callable[..., Any]:
    """Returns the function with its annotations checked at each call.

    Functions in `OWN_WORDS` are returned unchanged, because they raise their own error for an argument of the wrong
    type. The check is built at the first call, because a test run calls few of all functions.
    """
    if function.__qualname__ in OWN_WORDS:
        return function
    if inspect.isgeneratorfunction(function):
        return JAXTYPED(function, typechecker=beartype(conf=TYPES))
    checking: types.FunctionType | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal checking
        if checking is None:
            checking = _with_checks(function)
        with ONE_CALL:
            return checking(*args, **kwargs)

    return call


def decorated(*, typechecker: object) -> Callable[[Any], Any]:
    """Returns what `jaxtyping.jaxtyped` would: a decorator of functions, and of the constructors of dataclasses."""
    del typechecker

    def decorate(given: Any) -> Any:
        if not isinstance(given, type):
            return checked(given)
        if dataclasses.is_dataclass(given) and not hasattr(given.__init__, "__wrapped__"):
            given.__init__ = checked(given.__init__)
        return given

    return decorate


def install() -> None:
    """Checks all functions of `vec_envs` that are imported from now on."""
    jaxtyping.jaxtyped = decorated  # the decorator that the hook writes above each function and class
    jaxtyping.install_import_hook("vec_envs", None)
