"""Mutations of valid files: of bytes, of JSON, of tokens of a text, and of the arrays and members of an archive.

A mutation is three numbers (`Edit`), so that Hypothesis can draw it and make a failing one smaller.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Edit = tuple[int, int, int]
"""The kind of a change, its place, and the value that it puts there; each is taken modulo what there is."""
DEEP = "a list of 100,000 levels"
"""The value that `json_text` writes as a deep list, which Python's writer could not."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3.5, -0.0, 10**9, 2**31, 2**63, 2**64, 10**15, 10**16, 10**400, 1e308, -1e308,
    1e-320, float("nan"), float("inf"), float("-inf"), "", "x", "nan", "10", "../..", "\0", "\ud800",
    "é\u2028",
    "x" * 20_000, [], {}, [[]], [0] * 1000, [1e9] * 5000, {"a": {"b": [1, None]}}, [None], ["alexnet"] * 3,
    ["alexnet"] * 1000, {str(n): n for n in range(1000)}, DEEP,
)  # fmt: skip
CHUNKS = (
    b"", b"\0", b"\xff" * 8, b"{", b"[", b"]", b'"', b"\\", b",", b"\n", b"9" * 500, b"1e999", b"NaN", b"-",
    b"[" * 5000, b"{\"a\":" * 2000, b"a." * 3000, b" " * 5000, b"\xed\xa0\x80", b"PK\x05\x06", b"\xff\xff\xff\x7f",
)  # fmt: skip


def edited_bytes(data: bytes, edit: Edit) -> bytes:
    """Returns bytes with a few replaced, inserted, removed or repeated."""
    kind, place, value = edit
    at, chunk = place % (len(data) + 1), CHUNKS[value % len(CHUNKS)]
    length = 1 + value % 64
    return (
        data[:at] + bytes([value % 256]) + data[at + 1 :],
        data[:at] + chunk + data[at:],
        data[:at] + chunk + data[at + length :],
        data[:at] + data[at + length :],
        data[:at],
        data[:at] + data[at : at + length] * (1 + value % 200) + data[at:],
    )[kind % 6]


def edited_json(content: Any, edit: Edit) -> Any:
    """Returns JSON content with one value replaced, removed, repeated, added or exchanged for another one of it."""
    whole = {"": _copy(content)}
    places = list(_places(whole))
    kind, place, number = edit
    holder, key = places[place % len(places)]
    other, other_key = places[number % len(places)]
    value = _copy(VALUES[number % len(VALUES)])
    match kind % 5:
        case 0:
            holder[key] = value
        case 1:
            del holder[key]
        case 2:
            holder[key] = _copy(other[other_key])
        case 3 if isinstance(holder[key], dict):
            holder[key][("more", "__class__", "x" * 1000)[number % 3]] = value
        case 3 | 4 if isinstance(holder[key], list):
            holder[key] = holder[key] * (number % 200) if kind % 5 == 4 else [*holder[key], value]
        case _:
            holder[key] = [holder[key]] * (1 + number % 3)
    return whole.get("")


def _copy(content: Any) -> Any:
    return pickle.loads(pickle.dumps(content))  # several times faster than `copy.deepcopy`


def _places(content: Any) -> Any:
    """Yields each list or object with each of its indices or names, at every depth."""
    for key in content if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def json_text(content: Any) -> bytes:
    """Returns the JSON of content; `DEEP` becomes a list of 100,000 levels."""
    text = json.dumps(content)
    return text.replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).encode()


def edited_tokens(text: str, edit: Edit) -> str:
    """Returns a text with one of its words, numbers and signs replaced, removed or repeated."""
    kind, place, number = edit
    tokens = re.findall(r"[\w.+-]+|\s+|.", text)
    at = place % len(tokens)
    value = VALUES[number % len(VALUES)]
    new = "[" * 100_000 if value == DEEP else value if isinstance(value, str) else json.dumps(value)
    tokens[at] = (new, "", tokens[at] * (2 + number % 100), f'{{a = {tokens[at]}, "b.c" = {new}}}')[kind % 4]
    return "".join(tokens)


Arrays = dict[str, np.ndarray]
_ARRAYS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda a: a[:0],
    lambda a: a[:1],
    lambda a: a.T,
    lambda a: np.array(0),
    lambda a: a.astype(np.float32),
    lambda a: a.astype(np.int64),
    lambda a: a.astype(bool),
    lambda a: a.astype("U9"),
    lambda a: a.astype(np.complex128),
    lambda a: np.full(a.shape, np.nan, dtype=np.float32),
    lambda a: np.full_like(a, np.iinfo(np.int32).max) if a.dtype.kind == "i" else np.zeros_like(a),
    lambda a: -a if a.dtype.kind in "iuf" else a,
    lambda a: np.concatenate([a, a]),
    lambda a: np.zeros((2**22, *a.shape[1:]), dtype=a.dtype) if a.size < 100 and a.ndim else a[..., None],
    lambda a: np.zeros((10**6, 0), dtype=a.dtype),
    lambda a: np.zeros((0, 10**6), dtype=a.dtype),
    lambda a: np.zeros(2**20, dtype=np.int32),
)


def edited_arrays(arrays: Arrays, edit: Edit) -> Arrays:
    """Returns arrays with one removed, exchanged, or given another shape, type or content."""
    kind, place, number = edit
    names = sorted(name for name in arrays if name != "header")
    name, change = names[place % len(names)], _ARRAYS[number % len(_ARRAYS)]
    if kind % 8 == 0:
        return {of: array for of, array in arrays.items() if of != name}
    if kind % 8 == 1:
        return {**arrays, name: arrays[names[number % len(names)]]}
    if arrays[name].dtype.kind in "US" or arrays[name].ndim == 0:
        return {**arrays, name: np.array(number)}
    with np.errstate(all="ignore"):
        return {**arrays, name: change(arrays[name])}


def archive_of(arrays: Arrays, edits: Sequence[Edit] = ()) -> bytes:
    """Returns the `.npz` archive of arrays, with members that say other than they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(f"{name}.npy", content.getvalue())
    data = file.getvalue()
    for edit in edits:
        data = _edited_directory(data, edit)
    return data


def _edited_directory(data: bytes, edit: Edit) -> bytes:
    """Returns an archive with one field of an entry of its directory, or of the record at its end, replaced."""
    kind, place, number = edit
    entries = [m.start() for m in re.finditer(rb"PK\x01\x02", data)] or [0]
    size, value = (2, 4)[kind % 2], (1, 8, 0xFFFF, 99, 2**31, 0xFFFFFFFF, number)[number % 7]
    at = entries[place % len(entries)] + (8, 10, 14, 20, 24, 28, 30, 42)[kind % 8]
    if kind % 9 == 8:
        at = len(data) - 22 + (8, 10, 12, 16, 20)[place % 5]
    packed = struct.pack("<L", value % 2**32)[:size]
    return data[:at] + packed + data[at + size :]
