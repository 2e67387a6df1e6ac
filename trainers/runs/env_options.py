"""The options of an environment on a command line: those of its traffic, and the fields of its problem."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from vec_envs.dnn.choices import as_options
from vec_envs.dnn.profile import DNNProfile
from vec_envs.field_docs import field_docs
from vec_envs.interfaces.factories import TRAFFIC_DOCS, EnvironmentFactory
from vec_envs.mobility import SumoBackend
from vec_envs.problems.base import Problem
from vec_envs.registration import factory_of

PLAIN = (str, int, float, bool, Path, types.NoneType)
"""Types that a command line can give."""


def _shown_dnn(dnn: Any) -> str:
    """Returns the text of a DNN type for a help text: its name in the library, or that of its file."""
    return dnn if isinstance(dnn, str) else f"{dnn['name']}.json"


DNN = Annotated[
    str | dict[str, Any],
    tyro.constructors.PrimitiveConstructorSpec[Any](
        nargs=1,
        metavar="NAME|FILE",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str | Mapping),
        str_from_instance=lambda dnn: [_shown_dnn(dnn)],
    ),
]
"""A DNN type in options: a name of the library, the file of a profile, or its document (`as_options`)."""


@functools.cache
def env_options_type(factory: EnvironmentFactory) -> type[Any]:
    """Returns a dataclass of an environment's options, with their docstrings as help texts.

    Fields that a command line cannot give, such as functions, are left out: the problem then uses their defaults. DNN
    types become plain values, so that a run holds its networks themselves, and not the paths of their files.
    """
    options: list[tuple[str, Any, Any]] = [
        ("mobility", str, factory.default_mobility),
        ("scenario", str, factory.default_scenario),
        ("sumo_backend", SumoBackend, "libsumo"),
        ("num_workers", int, 1),
    ]
    hints = typing.get_type_hints(factory.problem_type)
    for f in dataclasses.fields(factory.problem_type):
        kind = command_line_type(hints[f.name])
        if kind is not None and _is_plain(f.default):
            options.append((f.name, kind, f.default))
    docs = TRAFFIC_DOCS | field_docs(factory.problem_type)
    annotated = [
        (name, Annotated[kind, tyro.conf.arg(help=docs.get(name, ""))], default) for name, kind, default in options
    ]
    of_dnns = [name for name, _, _ in options if name in hints and DNNProfile in _parts(hints[name])]

    def store_dnns(self: Any) -> None:
        for name in of_dnns:
            object.__setattr__(self, name, as_options(getattr(self, name)))

    namespace = {"__post_init__": store_dnns}
    return dataclasses.make_dataclass("EnvOptions", annotated, frozen=True, kw_only=True, namespace=namespace)


def problem_of(env_id: str, options: Mapping[str, Any]) -> Problem:
    """Returns the problem with these options of its environment; traffic options are ignored."""
    return factory_of(env_id).problem(**{name: of for name, of in options.items() if name not in TRAFFIC_DOCS})


def command_line_type(hint: Any) -> Any | None:
    """Returns the part of a type that a command line can give; None where there is none.

    Examples: `DNN` for `str | DNNProfile`, a name or a file; None for `Callable[[float], float]`.
    """
    hint = getattr(hint, "__value__", hint)  # of a `type` statement
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return command_line_type(arguments[0])
    if hint is DNNProfile:
        return DNN
    if origin in (typing.Union, types.UnionType):
        if DNNProfile in arguments:
            return DNN
        kinds = [kind for a in arguments if (kind := command_line_type(a)) is not None]
        return None if all(kind is types.NoneType for kind in kinds) else typing.Union[tuple(kinds)]  # noqa: UP007
    if origin is tuple:
        kinds = [a if a is Ellipsis else command_line_type(a) for a in arguments]
        return None if None in kinds else tuple[tuple(kinds)]  # pyright: ignore[reportInvalidTypeForm]
    if origin is typing.Literal or hint in PLAIN or (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return hint
    return None


def _parts(hint: Any) -> set[Any]:
    """Returns the types inside a type hint. The arguments of a `Callable` are a list of hints."""
    if isinstance(hint, list):
        return set().union(*map(_parts, typing.cast(list[Any], hint)))
    return {hint}.union(*(_parts(argument) for argument in typing.get_args(hint)))


def _is_plain(value: Any) -> bool:
    """Whether a default has a type that a command line can give; False for a missing default."""
    if isinstance(value, tuple):
        return all(map(_is_plain, typing.cast(tuple[Any, ...], value)))
    return isinstance(value, (*PLAIN, enum.Enum))
