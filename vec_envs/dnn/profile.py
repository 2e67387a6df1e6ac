"""A deep neural network as a chain of logical layers, with the work and the data of each cut of the chain."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from vec_envs.dnn.documents import checked_document, counted
from vec_envs.dnn.exits import EarlyExit, checked_exits
from vec_envs.dnn.layer import Layer
from vec_envs.dnn.measured import MeasuredTimes, read_times
from vec_envs.dnn.workload import WORKLOADS
from vec_envs.files import parse_json, read_json
from vec_envs.validation import (
    MOST_LAYERS,
    check_at_most,
    check_list,
    check_not_negative,
    check_one_of,
    check_path,
    missing_extra,
    shown,
)

if TYPE_CHECKING:
    import torch

MOST_FILE_BYTES = 2**22
"""The largest size of a profile's file: about 10,000 layers by three conventions."""
_LIBRARY = resources.files("vec_envs.dnn") / "library"
_TIMES = Path(__file__).parent / "times"


@dataclass(frozen=True, kw_only=True)
class DNNProfile:
    """A network of L layers with L + 1 possible cuts; profiles are compared and hashed by value.

    Cut c runs layers 1..c on the vehicle and layers c+1..L elsewhere. Cut 0 sends the raw input, and cut L sends
    nothing. The arrays below are read-only, and indexed by the cut unless they say otherwise.

    Raises:
        ValueError: There is no layer, there are more than 10,000, or the input size is negative or not finite. The
            convention is unknown, or measured times or exits do not fit the layers.

    Paper: RTD Eq. (2).
    """

    name: str
    input_mbit: float
    """Size of the raw input in Mbit (1e6 bits)."""
    layers: tuple[Layer, ...]
    workload: str | None = None
    """How the layers' `gflops` are counted, one of `vec_envs.dnn.workload.WORKLOADS`; None where it is not known."""
    measured: tuple[MeasuredTimes, ...] = ()
    """Measured times of the layers, an entry a device."""
    exits: tuple[EarlyExit, ...] = ()
    """Early exits with their accuracy, in the order of their layers. Environments do not use them yet."""

    def __post_init__(self) -> None:
        check_not_negative(**{f"input_mbit of profile {self.name!r}": self.input_mbit})
        object.__setattr__(self, "input_mbit", float(self.input_mbit))
        check_list(layers=self.layers)
        object.__setattr__(self, "layers", tuple(self.layers))  # a list would make the profile unhashable
        for layer in self.layers:
            if not isinstance(layer, Layer):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"layers of profile {self.name!r} must be Layer objects, got {layer!r}")
        if not self.layers:
            raise ValueError(f"profile {self.name!r} must have at least 1 layer, got 0 layers")
        check_at_most(MOST_LAYERS, **{f"the number of layers of profile {self.name!r}": len(self.layers)})
        if self.workload is not None:
            check_one_of(tuple(WORKLOADS), **{f"workload of profile {self.name!r}": self.workload})
        self._check_measured()
        object.__setattr__(self, "exits", checked_exits(self.exits, of=self.name, num_layers=self.num_layers))

    def _check_measured(self) -> None:
        check_list(measured=self.measured)
        object.__setattr__(self, "measured", tuple(self.measured))
        for times in self.measured:
            if not isinstance(times, MeasuredTimes):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"measured of profile {self.name!r} must hold MeasuredTimes, got {shown(times)}")
            if len(times.layer_s) != self.num_layers:
                raise ValueError(
                    f"measured of profile {self.name!r} on {times.device!r} must have a time for each of "
                    f"{self.num_layers} layers, got {len(times.layer_s)}"
                )
        devices = [times.device for times in self.measured]
        if len(set(devices)) < len(devices):
            raise ValueError(f"measured of profile {self.name!r} must name each device once, got {shown(devices)}")

    @property
    def num_layers(self) -> int:
        """The number of logical layers, L; the cuts are 0..L."""
        return len(self.layers)

    @cached_property
    def cut_mbit(self) -> Float[np.ndarray, " cuts"]:
        """Data sent at each cut in Mbit, shape [L + 1]. The first is the input, and the last is 0.

        Paper: MAD2RL Eq. (3).
        Differs: in bits where the paper has bytes, since rates are in bits; there is a last entry, 0,
        because an all-local task sends nothing.
        Paper: RTD Eq. (5).
        Paper: RTD Eq. (7).
        Differs: in bits of float32 values where the paper counts values, since it divides by a rate in bits.
        """
        return _read_only([self.input_mbit, *(layer.output_mbit for layer in self.layers[:-1]), 0.0])

    @cached_property
    def output_mbit(self) -> Float[np.ndarray, " layers"]:
        """Size of each layer's output in Mbit, shape [L], indexed by the layer. The last is the network's result."""
        return _read_only(layer.output_mbit for layer in self.layers)

    @cached_property
    def local_gflops(self) -> Float[np.ndarray, " cuts"]:
        """Work of layers 1..c in Gflop, shape [L + 1].

        Paper: RTD Eq. (8).
        Differs: the paper's sums run over layers 0..x_m - 1 and x_m..J; its text, followed here, has layers 1..x_m run
        locally.
        """
        return _work_before([layer.gflops for layer in self.layers])

    @cached_property
    def edge_gflops(self) -> Float[np.ndarray, " cuts"]:
        """Work of layers c+1..L in Gflop, shape [L + 1]."""
        return _work_after([layer.gflops for layer in self.layers])

    @cached_property
    def local_gmacs(self) -> Float[np.ndarray, " cuts"]:
        """Multiply-accumulates of layers 1..c in units of 1e9, shape [L + 1]."""
        return _work_before([layer.gmacs for layer in self.layers])

    @cached_property
    def edge_gmacs(self) -> Float[np.ndarray, " cuts"]:
        """Multiply-accumulates of layers c+1..L in units of 1e9, shape [L + 1]."""
        return _work_after([layer.gmacs for layer in self.layers])

    @cached_property
    def local_parameter_mbyte(self) -> Float[np.ndarray, " cuts"]:
        """Memory of the parameters of layers 1..c in Mbyte, shape [L + 1]."""
        return _work_before([layer.parameter_mbyte for layer in self.layers])

    @cached_property
    def edge_parameter_mbyte(self) -> Float[np.ndarray, " cuts"]:
        """Memory of the parameters of layers c+1..L in Mbyte, shape [L + 1]."""
        return _work_after([layer.parameter_mbyte for layer in self.layers])

    def layer_s(self, device: str) -> tuple[float, ...]:
        """Returns the measured time of each layer on a device, in s. Raises `ValueError` where it was not measured."""
        by_device = {times.device: times.layer_s for times in self.measured}
        if device not in by_device:
            known = ", ".join(map(repr, by_device)) or "no device"
            raise ValueError(f"{self.name!r} was not measured on {shown(device)}; it was measured on {known}")
        return by_device[device]

    def with_times(self, path: str | Path | None = None, *, source: str = "") -> DNNProfile:
        """Returns this profile with the measured times of a CSV file: layer, device, seconds.

        Times on a device that the profile has already are replaced.

        Args:
            path: The file. It has a row for each layer and device. None takes the table of the library, for some
                networks of the library: CPU times of one thread on "x86-core", a core of an Intel Xeon, with torch in
                float32.
            source: Who measured, and how; by default the name of the file.

        Raises:
            ValueError: A column or a layer is missing, a layer is unknown, or a time is no number of at least 0. The
                library has no table of this network.
            OSError: There is no such file.
        """
        if path is None:
            check_one_of(_names_of(_TIMES, ".csv"), **{"the name of a network with times in the library": self.name})
            path, source = _TIMES / f"{self.name}.csv", source or "VEC-Envs: torch, float32, 1 thread, CPU time"
        check_path(path=path)
        found = read_times(path, [layer.name for layer in self.layers], source=source)
        devices = {times.device for times in found}
        return replace(self, measured=(*(old for old in self.measured if old.device not in devices), *found))

    @classmethod
    def library(cls) -> tuple[str, ...]:
        """Returns the names that `load` accepts, in alphabetical order."""
        return _names_of(_LIBRARY, ".json")

    @classmethod
    def load(cls, name: str, workload: str = "mad2rl") -> DNNProfile:
        """Returns the library's profile of a network.

        Args:
            name: One of `DNNProfile.library()`.
            workload: How `gflops` are counted, one of `vec_envs.dnn.workload.WORKLOADS`.

        Raises:
            ValueError: The library has no such network or workload; the message lists those that it has.
        """
        check_one_of(cls.library(), **{"the name of a DNN in the library": name})
        check_one_of(tuple(WORKLOADS), workload=workload)
        return _shipped(name, workload)

    @classmethod
    def read(cls, path: str | Path, workload: str = "mad2rl") -> DNNProfile:
        """Returns the profile in a JSON file, such as `write` makes; `profile.schema.json` is its schema.

        Args:
            path: The file.
            workload: The convention to take where the file has `gflops` by several; see `WORKLOADS`.

        Raises:
            ValueError: The file is not JSON, too large, or no profile. The message names the field and its bounds.
            OSError: There is no such file.
        """
        check_path(path=path)
        check_one_of(tuple(WORKLOADS), workload=workload)
        content = read_json(Path(path), most_bytes=MOST_FILE_BYTES)
        try:
            return from_document(content, workload)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def write(self, path: str | Path) -> None:
        """Writes the profile to a JSON file, from which `read` returns an equal profile.

        Raises:
            ValueError: A name has more than 200 characters.
            OSError: The file cannot be written.
        """
        check_path(path=path)
        text = rendered(asdict(self))
        from_document(parse_json(text), "mad2rl")
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def from_torch(
        cls,
        module: torch.nn.Module,
        example_input: Any,
        *,
        name: str,
        workload: str = "mad2rl",
        example_keywords: Mapping[str, Any] | None = None,
        max_tensors: int = 1,
        activation_bits: int | None = None,
        residents: Collection[str | int] = ("past_key_values", "cache"),
    ) -> DNNProfile:
        """Returns the profile of a torch module. Neither runs the module nor copies its weights.

        The module is traced by torch.fx or, where that fails, by torch.export. It is profiled in evaluation mode.
        Wrappers of torch.compile and of data parallelism are removed. `vec_envs.dnn.torch_profile` describes how the
        module is divided into layers.

        Args:
            module: The network.
            example_input: One sample with a batch axis of length 1: a tensor, a tuple of arguments, or a dictionary of
                keywords. Only shapes and types are used.
            name: The name of the profile.
            workload: How `gflops` are counted, one of `vec_envs.dnn.workload.WORKLOADS`.
            example_keywords: More keywords of `forward`.
            max_tensors: The largest number of tensors that a cut may send. Networks with long skip connections, such
                as U-Nets and detectors, have more cuts with 2 or more.
            activation_bits: The bits in which a floating-point number is sent, 8, 16 or 32; None sends its own type.
                Integers keep their own type.
            residents: What is never sent because it stays on the device that runs its layer, such as the caches of a
                language model: names of arguments and of entries of the output, or positions in the output.

        Raises:
            ImportError: torch is not installed.
            ValueError: An argument is not allowed, or the module cannot be traced. The message names the operation,
                the line of code, and what to try.

        Warns:
            UserWarning: An operation has work that cannot be counted. The message names it.
        """
        try:
            from vec_envs.dnn.torch_profile import profile_of_module
        except ImportError as error:
            raise ImportError(missing_extra("DNNProfile.from_torch", "torch", "train")) from error
        input_mbit, layers = profile_of_module(
            module,
            example_input,
            name=name,
            workload=workload,
            keywords=example_keywords,
            max_tensors=max_tensors,
            activation_bits=activation_bits,
            residents=residents,
        )
        return cls(name=name, input_mbit=input_mbit, layers=layers, workload=workload)

    @classmethod
    def from_onnx(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        workload: str = "mad2rl",
        sizes: Mapping[str, int] | None = None,
    ) -> DNNProfile:
        """Returns the profile of an ONNX file. Neither runs the model nor reads weights that lie in other files.

        Work is counted as `from_torch` counts the same network.

        Args:
            path: The file.
            name: The name of the profile; by default that of the file.
            workload: How `gflops` are counted, one of `vec_envs.dnn.workload.WORKLOADS`.
            sizes: The sizes of symbolic axes by name. A symbolic first axis is the batch, and has the size 1.

        Raises:
            ImportError: The package onnx is not installed.
            ValueError: The file is no ONNX model, a size is missing, or an operation cannot be profiled.
            OSError: There is no such file.
        """
        check_path(path=path)
        try:
            from vec_envs.dnn.onnx_profile import layers_of_onnx
        except ImportError as error:
            raise ImportError(missing_extra("DNNProfile.from_onnx", "onnx", "onnx")) from error
        input_mbit, layers = layers_of_onnx(path, workload=workload, sizes=sizes or {})
        return cls(name=name or Path(path).stem, input_mbit=input_mbit, layers=layers, workload=workload)


@cache
def _shipped(name: str, workload: str) -> DNNProfile:
    """Returns a profile of the library. Each is read once in a process: its file never changes."""
    return profile_of((_LIBRARY / f"{name}.json").read_text(encoding="utf-8"), workload=workload)


def profile_of(text: str, *, workload: str) -> DNNProfile:
    """Returns the profile in a JSON text.

    Args:
        text: The text of a document (`vec_envs.dnn.documents`).
        workload: The convention to take where the text has `gflops` by several; see `WORKLOADS`.

    Raises:
        ValueError: The text is not JSON, lacks a field, or has a field of the wrong kind.
    """
    return from_document(parse_json(text), workload)


def from_document(content: Any, workload: str) -> DNNProfile:
    """Returns the profile in the content of a JSON file, see `profile_of`."""
    fields = counted(checked_document(content), workload)
    return DNNProfile(
        name=fields["name"],
        input_mbit=fields["input_mbit"],
        layers=tuple(Layer(**row) for row in fields["layers"]),
        workload=fields["workload"],
        measured=tuple(MeasuredTimes(**times) for times in fields["measured"]),
        exits=tuple(EarlyExit(**row) for row in fields.get("exits", ())),
    )


def rendered(document: Mapping[str, Any]) -> str:
    """Returns the text of a document's file: JSON with one line for each layer."""
    fields = {name: value for name, value in document.items() if name != "layers"}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items() if value not in (None, ())]
    rows = ",\n".join(f"    {json.dumps(row)}" for row in document["layers"])
    return "{\n" + ",\n".join([*lines, f'  "layers": [\n{rows}\n  ]']) + "\n}\n"


def _names_of(folder: Traversable, suffix: str) -> tuple[str, ...]:
    """Returns the names of the files with a suffix, without it, in alphabetical order."""
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(file.removesuffix(suffix) for file in files if file.endswith(suffix)))


def by_type(rows: Iterable[Float[np.ndarray, "_"]]) -> Float[np.ndarray, "types cuts"]:
    """Returns a table with one row for each DNN type, such as its `local_gflops`; pads short rows with zeros."""
    rows = list(rows)
    longest = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])


def _read_only(values: Iterable[float]) -> Float[np.ndarray, " length"]:
    array = np.array(list(values), dtype=np.float64)
    array.setflags(write=False)
    return array


def _work_before(per_layer: list[float]) -> Float[np.ndarray, " cuts"]:
    return _read_only(np.cumsum([0.0, *per_layer]))


def _work_after(per_layer: list[float]) -> Float[np.ndarray, " cuts"]:
    # Summed from the end, not as total minus local: the small sums of the last layers keep their precision.
    return _read_only(np.cumsum([0.0, *reversed(per_layer)])[::-1])
