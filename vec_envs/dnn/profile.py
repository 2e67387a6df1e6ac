"""A deep neural network as a chain of logical layers, with the work and the data of each cut of the chain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float

from vec_envs.dnn.layer import Layer
from vec_envs.dnn.workload import WORKLOADS
from vec_envs.files import parse_json, shortened
from vec_envs.validation import (
    MOST_DNNS,
    MOST_LAYERS,
    check_at_most,
    check_list,
    check_not_negative,
    check_one_of,
    shown,
)

if TYPE_CHECKING:
    import torch

MOST_CHARACTERS = 200
"""The largest length of a name in a file."""
_LIBRARY = resources.files("vec_envs.dnn") / "library"


@dataclass(frozen=True, kw_only=True)
class DNNProfile:
    """A network of L layers with L + 1 possible cuts; profiles are compared and hashed by value.

    Cut c runs layers 1..c on the vehicle and layers c+1..L elsewhere. Cut 0 sends the raw input, and cut L sends
    nothing. The arrays below are read-only, and indexed by the cut unless they say otherwise.

    Raises:
        ValueError: There is no layer, there are more than 10,000, or the input size is negative or not finite.

    Paper: RTD Eq. (2).
    """

    name: str
    input_mbit: float
    """Size of the raw input in Mbit (1e6 bits)."""
    layers: tuple[Layer, ...]

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

    @classmethod
    def library(cls) -> tuple[str, ...]:
        """Returns the names that `load` accepts, in alphabetical order."""
        files = (entry.name for entry in _LIBRARY.iterdir())
        return tuple(sorted(file.removesuffix(".json") for file in files if file.endswith(".json")))

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
        return profile_of((_LIBRARY / f"{name}.json").read_text(encoding="utf-8"), workload=workload)

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
            raise ImportError('DNNProfile.from_torch needs torch: pip install "vec-envs[train]"') from error
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
        return cls(name=name, input_mbit=input_mbit, layers=layers)


def profile_of(text: str, *, workload: str) -> DNNProfile:
    """Returns the profile in the JSON text of a file of the library.

    Args:
        text: The text.
        workload: How `gflops` are counted, one of `vec_envs.dnn.workload.WORKLOADS`.

    Raises:
        ValueError: The text is not JSON, lacks a field, or has a field of the wrong kind.
    """
    try:
        table = parse_json(text)
        layers = tuple(_layer(row, workload) for row in table["layers"])
        name, input_mbit = table["name"], table["input_mbit"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a DNN profile must have a name, input_mbit, and layers, which lack {error}") from error
    return DNNProfile(name=_name(name), input_mbit=input_mbit, layers=layers)


def _name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > MOST_CHARACTERS:
        raise ValueError(f"a name must be text of at most {MOST_CHARACTERS} characters, got {shortened(repr(name))}")
    return name


def _layer(row: Any, workload: str) -> Layer:
    return Layer(
        name=_name(row["name"]),
        gflops=row["gflops"][workload],
        gmacs=row["gmacs"],
        output_mbit=row["output_mbit"],
        parameter_mbyte=row["parameter_mbyte"],
    )


def as_profiles(dnns: Any, *, workload: str) -> tuple[DNNProfile, ...]:
    """Returns DNN types as profiles. Loads those that are given by their name in the library.

    Args:
        dnns: A list or tuple of profiles and names.
        workload: How the work of DNNs given by name is counted, one of `vec_envs.dnn.workload.WORKLOADS`.

    Raises:
        ValueError: `dnns` is empty or not a list of profiles and names, a name or the workload is unknown, or two DNN
            types share a name. Metrics are reported by name, so names must differ.
    """
    if not isinstance(dnns, tuple | list) or not all(isinstance(d, str | DNNProfile) for d in cast(list[Any], dnns)):
        raise ValueError(
            f"dnns must be a list of DNN types, each a profile or a name of the library, got {shown(dnns)}"
        )
    given = cast(list[str | DNNProfile], dnns)
    if not given:
        raise ValueError("dnns is empty; at least one DNN type is needed")
    check_at_most(MOST_DNNS, **{"the length of dnns": len(given)})
    check_one_of(tuple(WORKLOADS), workload=workload)
    profiles = tuple(DNNProfile.load(d, workload=workload) if isinstance(d, str) else d for d in given)
    names = [profile.name for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"dnns has {name!r} twice; give one of them another name: replace(profile, name=...)")
    return profiles


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
