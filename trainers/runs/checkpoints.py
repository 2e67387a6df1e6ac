"""Reading of checkpoints: damaged files, other files and weights that are not finite are refused by name.

Torch is imported inside functions, so that commands can read their command line first.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

ALGORITHM, EXPORTED = "algorithm", "policy"
"""The keys of the weights: of all networks and the optimisers, or in an exported run of the policy's network alone."""
FOLDER = 0x10
"""The attribute of a folder in an archive."""


class UnfitCheckpointError(ValueError):
    """A checkpoint that can be read, but is of another run than the one it is used for."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Returns the content of a checkpoint. Code in the file is not executed.

    The checksums of the archive are verified first: torch does not verify them, and would return other numbers.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: The file is damaged, is no checkpoint, or holds weights that are not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    with path.open("rb") as file:
        state = _read(file, path)
    weights = state.get(EXPORTED, state.get(ALGORITHM)) if isinstance(state, dict) else None
    if not isinstance(weights, Mapping) or type(state.get("round")) is not int or state["round"] < 0:
        raise ValueError(f"{path} is not a checkpoint of a run")
    _check_finite(weights, path)
    return state


def _read(file: IO[bytes], path: Path) -> Any:
    import torch

    try:
        with zipfile.ZipFile(file) as archive:
            whole = archive.testzip() is None and not any(map(_is_folder, archive.infolist()))
        if whole:
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the readers raise errors of many types
        raise ValueError(_damaged(path)) from error
    raise ValueError(_damaged(path))


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    """Whether torch takes an entry of the archive for a folder, of which it reads nothing; no checkpoint has one."""
    return entry.is_dir() or bool(entry.external_attr & FOLDER)


def _damaged(path: Path) -> str:
    return (
        f"{path} is damaged: it cannot be read as a checkpoint; put back a copy of it, or delete its folder and train "
        "again"
    )


def _check_finite(weights: Mapping[str, Any], path: Path) -> None:
    import torch

    for name, value in weights.items():
        if isinstance(value, torch.Tensor) and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"{path} holds weights that are not finite, the first in {name}: its training has diverged; train "
                "again with a lower --learner.learning-rate"
            )


def load_weights(module: Any, weights: Mapping[str, Any], *, given: str, own: Mapping[str, Any] | None = None) -> None:
    """Loads weights into an algorithm or a network.

    Args:
        module: The algorithm or network.
        weights: The weights of a checkpoint, which may hold the states of optimisers as well.
        given: The name of the checkpoint for error messages.
        own: Values that replace those of `weights`, such as states of optimisers to keep.

    Raises:
        UnfitCheckpointError: The weights have other names or shapes; the message gives the first difference.
    """
    weights = {**weights, **(own or {})}
    why = difference(module.state_dict(), weights)
    if why is None:
        try:
            module.load_state_dict(weights)
            return
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:  # optimisers of another learner
            why = (str(error).splitlines() or [type(error).__name__])[0]
    raise UnfitCheckpointError(f"{given} belongs to another learner, other agents, actions or networks: {why}")


def difference(own: Mapping[str, Any], weights: Mapping[str, Any]) -> str | None:
    """Returns the first difference between the names and shapes of weights in words; None where there is none."""
    import torch

    for name, value in own.items():
        if name not in weights:
            return f"{name} is missing"
        if isinstance(value, torch.Tensor):
            found = getattr(weights[name], "shape", None)
            if found != value.shape:
                has = "no tensor" if found is None else f"of shape {tuple(found)}"
                return f"{name} is {has}, must be of shape {tuple(value.shape)}"
    unknown = next((name for name in weights if name not in own), None)
    return None if unknown is None else f"{unknown} is unknown here"
