"""The parser of a command line, for every command of this project."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, Never, cast

from vec_envs.validation import did_you_mean


def version_text() -> str:
    """Returns the text that `--version` prints."""
    package = importlib.import_module("vec_envs")  # a static import would let every room below see all others
    return f"VEC-Envs {package.__version__}"


def add_version(parser: argparse.ArgumentParser) -> None:
    """Adds `--version` to a parser, which prints the version of this project and exits."""
    parser.add_argument("--version", action="version", version=version_text(), help="print the version and exit")


class CommandParser(argparse.ArgumentParser):
    """A parser with `--version` that answers a misspelt option or choice with the nearest one that exists.

    argparse makes the parsers of subcommands of this class too.
    """

    _given: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.add_help:  # without it, the parser is only a part of others
            add_version(self)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Returns the parsed options, and the arguments that are left."""
        self._given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> Never:
        """Prints a message, which also names the options that misspelt ones may stand for; exits with status 2."""
        known = sorted(set(self._known_options()))
        for name in self._given_options():
            if name not in known and not (self.allow_abbrev and any(of.startswith(name) for of in known)):
                said = name in re.findall(r"--[\w.-]+", message)
                message += f"{'' if said else f'; {name} is unknown'}{did_you_mean(name, known)}"
        super().error(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(value, map(str, action.choices or ()))
            raise

    def _given_options(self) -> Iterator[str]:
        options = (argument for argument in takewhile(lambda of: of != "--", self._given) if argument.startswith("--"))
        return (option.partition("=")[0] for option in options)

    def _known_options(self) -> Iterator[str]:
        """Yields the options of this parser and of those of its subcommands."""
        for action in self._actions:
            yield from action.option_strings
            if isinstance(action.choices, dict):
                for parser in cast(dict[str, object], action.choices).values():
                    yield from parser._known_options() if isinstance(parser, CommandParser) else ()
