"""A deep neural network as a chain of logical layers, and what each cut of the chain costs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float

from vec_envs.validation import a_list, one_of

if TYPE_CHECKING:
    import torch

_LIBRARY = resources.files("vec_envs.dnn") / "library"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One logical layer: what no cut divides.

    A layer without work, without parameters or without output is allowed; negative and non-finite
    numbers raise ValueError.

    Paper: RTD Eq. (3).
    """

    name: str
    gflops: float
    """Operations in Gflop, counted by one of the papers' conventions; 1 flop is 1 cycle."""
    gmacs: float
    """Multiply-accumulates in units of 1e9."""
    output_mbit: float
    """Size of the output tensor in Mbit (1e6 bits)."""
    parameter_mbyte: float
    """Memory of the parameters in Mbyte (1e6 bytes)."""

    def __post_init__(self) -> None:
        for field in ("gflops", "gmacs", "output_mbit", "parameter_mbyte"):
            number = _finite_and_not_negative(getattr(self, field), f"{field} of layer {self.name!r}")
            object.__setattr__(self, field, number)


@dataclass(frozen=True, kw_only=True)
class DNNProfile:
    """A network of L layers that can be cut in L + 1 places, compared and hashed by value.

    Cut c runs layers 1..c on the vehicle and layers c+1..L elsewhere, so c = 0 sends the raw input
    and c = L sends nothing. Every array below is indexed by the cut unless it says otherwise, and
    is read-only.

    Raises ValueError without layers, and for an input size that is negative or not finite.

    Paper: RTD Eq. (2).
    """

    name: str
    input_mbit: float
    """Size of the raw input in Mbit (1e6 bits)."""
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        input_mbit = _finite_and_not_negative(self.input_mbit, f"input_mbit of profile {self.name!r}")
        object.__setattr__(self, "input_mbit", input_mbit)
        a_list(layers=self.layers)
        object.__setattr__(self, "layers", tuple(self.layers))  # a list would make the profile unhashable
        for layer in self.layers:
            if not isinstance(layer, Layer):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"layers of profile {self.name!r} has {layer!r}, which is no Layer")
        if not self.layers:
            raise ValueError(f"profile {self.name!r} has 0 layers; it needs at least 1")

    @property
    def num_layers(self) -> int:
        """L, the number of logical layers; the cuts are 0..L."""
        return len(self.layers)

    @cached_property
    def cut_mbit(self) -> Float[np.ndarray, " cuts"]:
        """Data sent at each cut in Mbit, shape [L + 1]: the input first, 0 last.

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
        """Size of each layer's output in Mbit, shape [L], indexed by the layer; the result is the last."""
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
        """Work of layers c+1..L in Gflop, shape [L + 1]: the other sum of `local_gflops`."""
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
        """Names that `load` knows, in alphabetical order."""
        files = (entry.name for entry in _LIBRARY.iterdir())
        return tuple(sorted(file.removesuffix(".json") for file in files if file.endswith(".json")))

    @classmethod
    def load(cls, name: str, workload: str = "mad2rl") -> DNNProfile:
        """The library's profile of one network, its `gflops` counted by `workload`.

        `vec_envs.dnn.workload` defines the conventions. Raises ValueError for a name or a workload
        that the library does not have, and lists those it has.
        """
        if name not in cls.library():
            raise ValueError(f"no profile {name!r} in the library; it has {', '.join(cls.library())}")
        table: dict[str, Any] = json.loads((_LIBRARY / f"{name}.json").read_text(encoding="utf-8"))
        workloads: dict[str, float] = table["layers"][0]["gflops"]
        if workload not in list(workloads):  # a name that has no hash is none either
            raise ValueError(f"no workload {workload!r} for {name!r}; it has {', '.join(workloads)}")
        layers = tuple(
            Layer(
                name=row["name"],
                gflops=row["gflops"][workload],
                gmacs=row["gmacs"],
                output_mbit=row["output_mbit"],
                parameter_mbyte=row["parameter_mbyte"],
            )
            for row in table["layers"]
        )
        return cls(name=table["name"], input_mbit=table["input_mbit"], layers=layers)

    @classmethod
    def from_torch(
        cls, module: torch.nn.Module, example_input: torch.Tensor, *, name: str, workload: str = "mad2rl"
    ) -> DNNProfile:
        """The profile of any module that torch.fx can trace, without running it or copying its weights.

        `example_input` is one sample with a leading batch axis of 1; only its shape and type are used.
        `vec_envs.dnn.torch_profile` says how the module becomes layers. Raises ImportError without
        torch, and ValueError for another batch size, an unknown workload, or a module that cannot be traced.
        """
        try:
            from vec_envs.dnn.torch_profile import profile_module
        except ImportError as error:
            raise ImportError('DNNProfile.from_torch needs torch: pip install "vec-envs[train]"') from error
        return profile_module(module, example_input, name=name, workload=workload)


def as_profiles(dnns: Any, *, workload: str) -> tuple[DNNProfile, ...]:
    """Returns DNN types, given as profiles or names of the library, as profiles; names are counted by `workload`.

    Raises `ValueError` for what is neither, for a name that the library does not have, for none at all, and for two of
    one name, under which figures are reported.
    """
    if not isinstance(dnns, tuple | list) or not all(isinstance(d, str | DNNProfile) for d in cast(list[Any], dnns)):
        raise ValueError(f"dnns={dnns!r} must be a list of DNN types, profiles or names")
    given = cast(list[str | DNNProfile], dnns)
    if not given:
        raise ValueError("dnns is empty; at least one DNN type is needed")
    from vec_envs.dnn.workload import WORKLOADS  # which counts layers, and so imports this module

    one_of(tuple(WORKLOADS), workload=workload)
    profiles = tuple(DNNProfile.load(d, workload=workload) if isinstance(d, str) else d for d in given)
    names = [profile.name for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"dnns has {name!r} twice; give one a name of its own: replace(profile, name=...)")
    return profiles


def by_type(rows: Iterable[Float[np.ndarray, "_"]]) -> Float[np.ndarray, "types cuts"]:
    """Returns an array of each DNN type by cut, such as `local_gflops`, in one table; short rows end in zeros."""
    rows = list(rows)
    longest = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])


def _finite_and_not_negative(value: Any, label: str) -> float:
    if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{label} is {value!r}; it must be a number, finite and at least 0")
    return float(value)


def _read_only(values: Iterable[float]) -> Float[np.ndarray, " length"]:
    array = np.array(list(values), dtype=np.float64)
    array.setflags(write=False)
    return array


def _work_before(per_layer: list[float]) -> Float[np.ndarray, " cuts"]:
    return _read_only(np.cumsum([0.0, *per_layer]))


def _work_after(per_layer: list[float]) -> Float[np.ndarray, " cuts"]:
    # Summed from the end, not as total minus local: small tails keep their digits.
    return _read_only(np.cumsum([0.0, *reversed(per_layer)])[::-1])
