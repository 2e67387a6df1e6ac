"""What a command line can say of an environment: its traffic and its problem's fields, with their docstrings."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

import tyro

from vec_envs.dnn.profile import DNNProfile
from vec_envs.interfaces.factories import TRAFFIC_DOCS, EnvironmentFactory
from vec_envs.field_docs import field_docs
from vec_envs.mobility import SumoBackend
from vec_envs.problems.base import Problem
from vec_envs.registration import factory_of


def env_options_type(factory: EnvironmentFactory) -> type[Any]:
    """Returns a dataclass of an environment's options; those that are functions are left to Python."""
    options: list[tuple[str, Any, Any]] = [
        ("mobility", str, factory.default_mobility),
        ("scenario", str, factory.default_scenario),
        ("sumo_backend", SumoBackend, "libsumo"),
        ("num_workers", int, 1),
    ]
    hints = typing.get_type_hints(factory.problem_type)
    options += [
        (f.name, _written(hints[f.name]), f.default)
        for f in dataclasses.fields(factory.problem_type)
        if f.default is not dataclasses.MISSING and not callable(f.default)
    ]
    docs = TRAFFIC_DOCS | field_docs(factory.problem_type)
    annotated = [
        (name, Annotated[kind, tyro.conf.arg(help=docs.get(name, ""))], default) for name, kind, default in options
    ]
    return dataclasses.make_dataclass("EnvOptions", annotated, frozen=True, kw_only=True)


def problem_of(env_id: str, options: Mapping[str, Any]) -> Problem:
    """Returns the problem of an environment's options, those of its traffic among them."""
    return factory_of(env_id).problem(**{name: of for name, of in options.items() if name not in TRAFFIC_DOCS})


def _written(hint: Any) -> Any:
    """Returns a field's type as a command line can write it: a DNN by its name."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and DNNProfile in arguments:
        return typing.Union[tuple(_written(a) for a in arguments if a is not DNNProfile)]  # noqa: UP007
    if arguments and typing.get_origin(hint) is tuple:
        return tuple[tuple(_written(a) for a in arguments)]  # pyright: ignore[reportInvalidTypeForm]
    return hint
