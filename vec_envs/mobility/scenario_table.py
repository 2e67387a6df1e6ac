"""The reader of a `scenario.toml`: its tables, and the rules that their entries must follow."""

from __future__ import annotations

import contextlib
import math
import sys
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from vec_envs.files import announced_encoding, read_bytes, shortened
from vec_envs.mobility.axis import MOST_UNITS
from vec_envs.validation import did_you_mean, missing_extra

MOST_BYTES = 2**18
"""The largest size of a `scenario.toml`."""
MOST_CHARACTERS = 1000
"""The largest length of a line in it: the time for a key with many dots grows with the square of its length."""
MOST_POINTS = 10_000
"""The largest number of points of a road's axis."""
OF_SUMO = "sumo:"
"""What the names of files begin with that the `eclipse-sumo` package brings."""


def read_toml(file: Path) -> dict[str, Any]:
    """Returns the content of a TOML file. Raises `ValueError` where it is not TOML, or is too large."""
    text = _text(file)
    longest = max(map(len, text.splitlines()), default=0)
    if longest > MOST_CHARACTERS:
        raise ValueError(
            f"{file} must have at most {MOST_CHARACTERS} characters in a line, got {longest}: begin a line for each "
            "point"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not TOML: {shortened(error)}") from error


def _text(file: Path) -> str:
    """Returns the text of a file in UTF-8, or in the encoding that its byte order mark announces."""
    content = read_bytes(file, most_bytes=MOST_BYTES)
    try:
        text = content.decode(announced_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} must be text in UTF-8, got the byte {content[error.start]:#04x} at position {error.start}: save "
            "it as UTF-8 in your editor"
        ) from error
    if "\0" in text:
        raise ValueError(f"{file} must be text in UTF-8, got zero bytes, as of UTF-16: save it as UTF-8 in your editor")
    return text


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the file. Each getter raises `ValueError` with the file, the key, the rule and the value."""

    file: Path
    name: str
    entries: dict[str, Any]

    def get(self, key: str, rule: str, accept: Callable[[Any], bool]) -> Any:
        if key not in self.entries:
            raise ValueError(f"{self.file}: {self.name}{key} is missing; it must be {rule}")
        value = self.entries[key]
        if not accept(value):
            raise ValueError(f"{self.file}: {self.name}{key} must be {rule}, got {shortened(repr(value))}")
        return value

    def table(self, key: str) -> Table:
        entries = self.get(key, "a table", lambda value: isinstance(value, dict))
        return Table(file=self.file, name=f"{key}.", entries=entries)

    def string(self, key: str, *, default: str | None = None) -> str:
        if default is not None and key not in self.entries:
            return default
        return self.get(key, "a string that is not empty", lambda value: isinstance(value, str) and value != "")

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(self.get(key, "a list of at least one string", _is_string_list))

    def optional_strings(self, key: str) -> tuple[str, ...] | None:
        return self.strings(key) if key in self.entries else None

    def number(self, key: str, *, least: float, most: float = math.inf) -> float:
        rule = (
            f"a number of at least {least:g}"
            if math.isinf(most)
            else f"a number of at least {least:g} and at most {most:g}"
        )
        return float(self.get(key, rule, lambda value: _is_number(value) and least <= value <= most))

    def optional_number(self, key: str, *, least: float) -> float | None:
        return self.number(key, least=least) if key in self.entries else None

    def positive(self, key: str) -> float:
        return float(self.get(key, "a number above 0", lambda value: _is_number(value) and value > 0.0))

    def numbers(self, key: str, *, count: int) -> tuple[float, ...]:
        values = self.get(key, f"{count} finite numbers", lambda value: _is_number_list(value, count))
        return tuple(map(float, values))

    def optional_points(self, key: str) -> tuple[tuple[float, float], ...]:
        if key not in self.entries:
            return ()
        rule = f"two to {MOST_POINTS} points [x, y], each different from the one before"
        values = self.get(key, rule, _is_polyline)
        return tuple((float(x), float(y)) for x, y in values)

    def optional_places(self, key: str) -> tuple[tuple[float, float, float], ...]:
        if key not in self.entries:
            return ()
        rule = f"one to {MOST_UNITS} places [x, y, z]"
        values = self.get(key, rule, _is_list_of_places)
        return tuple((float(x), float(y), float(z)) for x, y, z in values)

    def optional_options(self, key: str, known: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Returns the entries of an optional table with options of SUMO, as the texts of its command line."""
        if key not in self.entries:
            return ()
        table = self.table(key)
        table.reject_unknown_keys(known)
        rule = "true, false, a number or a string that is not empty"
        values = {name: table.get(name, rule, _is_option_value) for name in table.entries}
        return tuple(
            (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in values.items()
        )

    def existing_file(self, name: str) -> Path:
        """Returns a file beside the table's; `sumo:` begins the name of one that the `eclipse-sumo` package brings."""
        path = self.file.parent / name
        if name.startswith(OF_SUMO):
            path = self._file_of_sumo(name.removeprefix(OF_SUMO))
        with contextlib.suppress(OSError):  # a name may be longer than a file's name can be
            if path.is_file():
                return path
        raise ValueError(f"{self.file} names {shortened(repr(name))}, but the file does not exist")

    def _file_of_sumo(self, name: str) -> Path:
        spec = find_spec("sumo")
        folder = next(iter(spec.submodule_search_locations or ()), None) if spec else None
        if folder is None:
            raise ValueError(
                missing_extra(f"{self.file}, which names {shortened(repr(name))},", "eclipse-sumo", "sumo")
            )
        if ".." in Path(name).parts:
            raise ValueError(f"{self.file} must name a file inside of the package eclipse-sumo, got {shortened(name)}")
        return Path(folder, name)

    def reject_unknown_keys(self, known: Collection[str]) -> None:
        for key in self.entries.keys() - set(known):
            raise ValueError(
                f"{self.file}: {self.name}{shortened(key)} is an unknown key; "
                f"the known ones are {', '.join(sorted(known))}{did_you_mean(key, known)}"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_option_value(value: Any) -> bool:
    if isinstance(value, str):
        return value != "" and value.isprintable() and "$" not in value
    return isinstance(value, bool) or _is_number(value)


def _is_number_list(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(cast(list[Any], value)) == count
        and all(map(_is_number, cast(list[Any], value)))
    )


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, str) for item in cast(list[Any], value))


def _is_list_of_places(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    places = cast(list[Any], value)
    return 1 <= len(places) <= MOST_UNITS and all(_is_number_list(place, 3) for place in places)


def _is_polyline(value: Any) -> bool:
    if not isinstance(value, list) or not all(_is_number_list(point, 2) for point in cast(list[Any], value)):
        return False
    points = cast(list[list[float]], value)
    return 2 <= len(points) <= MOST_POINTS and all(a != b for a, b in pairwise(points))
