"""The JSON document of a DNN profile: the content of its file, and its form in the options of a run.

`profile.schema.json` in this folder is its JSON Schema. A layer's `gflops` are one number, counted by the convention
in `workload`, or an object with a number for each of several conventions. Such a document fits environments of
several conventions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from vec_envs.dnn.workload import WORKLOADS
from vec_envs.files import shortened
from vec_envs.validation import (
    MOST_LAYERS,
    check_fraction,
    check_integer,
    check_not_negative,
    check_one_of,
    near_misses,
    shown,
)

MOST_CHARACTERS = 200
"""The largest length of a name in a document."""
MOST_DEVICES = 100
"""The largest number of devices with measured times."""
NUMBERS = ("gmacs", "output_mbit", "parameter_mbyte")
"""The fields of a layer that are a number."""
REQUIRED, OPTIONAL = ("name", "input_mbit", "layers"), ("workload", "measured", "exits")
ANNOTATIONS = ("$schema", "sources", "made_by", "input_shape")
"""Fields that tell a reader where a profile comes from. They are not part of the profile."""
LAYER_ANNOTATIONS = ("output_shape", "operations")


def checked_document(content: Any) -> dict[str, Any]:
    """Returns the document in the content of a JSON file, without annotations, with tuples for lists.

    It has `exits` only where there are any, so that documents of other networks are the same as before.

    Raises:
        ValueError: A field is missing, unknown, of the wrong kind or out of bounds; the message names it.
    """
    table = _object(content, "a DNN profile", (*REQUIRED, *OPTIONAL), ANNOTATIONS, optional=OPTIONAL)
    rows = _list(table["layers"], "layers", least=1, most=MOST_LAYERS)
    layers = tuple(_layer(row, index) for index, row in enumerate(rows))
    check_not_negative(input_mbit=table["input_mbit"])
    workload = table.get("workload")
    if workload is not None:
        check_one_of(tuple(WORKLOADS), workload=workload)
    _check_conventions([row["gflops"] for row in layers], workload)
    exits = _exits(table.get("exits"))
    return {
        "name": _name(table["name"], "name"),
        "input_mbit": float(table["input_mbit"]),
        "layers": layers,
        "workload": workload,
        "measured": _measured(table.get("measured"), num_layers=len(layers)),
        **({"exits": exits} if exits else {}),
    }


def counted(document: Mapping[str, Any], workload: str) -> dict[str, Any]:
    """Returns a checked document with one number of Gflop for each layer.

    Args:
        document: The document. It stays unchanged.
        workload: The convention to take where the document has several.

    Raises:
        ValueError: The document has several conventions, but not this one; the message lists them.
    """
    first = document["layers"][0]["gflops"]
    if not isinstance(first, dict):
        return dict(document)
    check_one_of(tuple(cast(dict[str, float], first)), **{f"workload of the DNN {document['name']!r}": workload})
    layers = tuple({**row, "gflops": row["gflops"][workload]} for row in document["layers"])
    return {**document, "layers": layers, "workload": workload}


def merged(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns one document from those of a network by convention, which differ in `gflops` and `workload` alone."""
    of_all = list(documents.values())
    rows = zip(*(document["layers"] for document in of_all), strict=True)
    layers = tuple(
        {**row[0], "gflops": {workload: of["gflops"] for workload, of in zip(documents, row, strict=True)}}
        for row in rows
    )
    return {**of_all[0], "layers": layers, "workload": None}


def _layer(row: Any, index: int) -> dict[str, Any]:
    what = f"layers[{index}]"
    fields = _object(row, what, ("name", "gflops", *NUMBERS), LAYER_ANNOTATIONS)
    given, gflops = fields["gflops"], dict[str, float]()
    if isinstance(given, dict):
        for workload, number in cast(dict[str, Any], given).items():
            check_one_of(tuple(WORKLOADS), **{f"a convention in gflops of {what}": workload})
            gflops[workload] = _number(number, f"gflops.{workload} of {what}")
        if not gflops:
            raise ValueError(f"gflops of {what} must hold at least 1 convention, got none")
    return {
        "name": _name(fields["name"], f"name of {what}"),
        "gflops": gflops or _number(given, f"gflops of {what}"),
        **{name: _number(fields[name], f"{name} of {what}") for name in NUMBERS},
    }


def _check_conventions(gflops: list[Any], workload: str | None) -> None:
    kinds = {frozenset(cast(dict[str, float], of)) if isinstance(of, dict) else None for of in gflops}
    if len(kinds) > 1:
        raise ValueError("gflops must have the same conventions in all layers, got different ones")
    if workload is not None and kinds != {None}:
        raise ValueError(f"workload must be left out where gflops name their conventions, got {workload!r}")


def _measured(given: Any, *, num_layers: int) -> tuple[dict[str, Any], ...]:
    rows: Sequence[Any] = () if given is None else _list(given, "measured", least=0, most=MOST_DEVICES)
    tables = [
        _object(row, f"measured[{n}]", ("device", "layer_s", "source"), (), optional=("source",))
        for n, row in enumerate(rows)
    ]
    for n, table in enumerate(tables):
        _name(table["device"], f"device of measured[{n}]")
        _list(table["layer_s"], f"layer_s of measured[{n}]", least=num_layers, most=num_layers)
    return tuple(
        {
            "device": table["device"],
            "layer_s": tuple(_number(s, f"layer_s of measured[{n}]") for s in table["layer_s"]),
            "source": _text(table.get("source", ""), f"source of measured[{n}]", most=1000),
        }
        for n, table in enumerate(tables)
    )


def _exits(given: Any) -> tuple[dict[str, Any], ...]:
    rows: Sequence[Any] = () if given is None else _list(given, "exits", least=0, most=MOST_LAYERS)
    tables = [_object(row, f"exits[{n}]", ("after_layer", "accuracy"), ()) for n, row in enumerate(rows)]
    for n, table in enumerate(tables):
        check_integer(1, **{f"after_layer of exits[{n}]": table["after_layer"]})
        check_fraction(**{f"accuracy of exits[{n}]": table["accuracy"]})
    return tuple({"after_layer": table["after_layer"], "accuracy": float(table["accuracy"])} for table in tables)


def _object(
    content: Any, what: str, known: tuple[str, ...], ignored: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{what} must be an object, got {_kind(content)}")
    table = cast(dict[str, Any], content)
    if missing := [name for name in known if name not in table and name not in optional]:
        raise ValueError(f"{what} must have {', '.join(known)}; it lacks {', '.join(missing)}")
    if unknown := [name for name in table if name not in known and name not in ignored]:
        names = shortened(", ".join(map(repr, unknown)))
        raise ValueError(
            f"{what} may have {', '.join((*known, *ignored))}; it has the unknown {names}{near_misses(unknown, known)}"
        )
    return table


def _list(content: Any, what: str, *, least: int, most: int) -> Sequence[Any]:
    if not isinstance(content, list | tuple):
        raise ValueError(f"{what} must be a list, got {_kind(content)}")
    values = cast(Sequence[Any], content)
    if not least <= len(values) <= most:
        number = f"{least}" if least == most else f"from {least} to {most}"
        raise ValueError(f"{what} must have {number} entries, got {len(values)}")
    return values


def _number(value: Any, what: str) -> float:
    check_not_negative(**{what: value})
    return float(value)


def _name(value: Any, what: str) -> str:
    return _text(value, what, most=MOST_CHARACTERS)


def _text(value: Any, what: str, *, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{what} must be text of at most {most} characters, got {shown(value)}")
    return value


def _kind(content: Any) -> str:
    kinds: dict[type, str] = {
        dict: "an object",
        list: "a list",
        tuple: "a list",
        str: "text",
        bool: "a truth value",
        type(None): "null",
    }
    return kinds.get(type(cast(object, content)), "a number")
