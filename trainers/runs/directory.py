"""The folder of a run: options, checkpoint, metrics, TensorBoard events and evaluation.

Torch is imported inside functions, so that commands can read their command line first.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import time
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CONFIG, CHECKPOINT, METRICS, EVALUATION = "config.json", "checkpoint.pt", "metrics.jsonl", "evaluation.json"
PARTIAL = ".new"
"""The ending of a file's name while the file is being written."""


class RunDirectory:
    """Reads and writes the files of a run.

    A file is replaced by renaming another one that was written beside it. A killed process leaves one of the two.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: SummaryWriter | None = None

    def check_free(self) -> None:
        """Raises `FileExistsError` where the folder holds a run already, or the path is a file."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path} is a file: choose another folder")
        if (self.path / CONFIG).exists():
            raise FileExistsError(
                f"{self.path} holds a run already: choose another folder, or continue that run with --resume"
            )

    def create(self, config: str) -> None:
        """Creates the folder of a new run. Raises `FileExistsError` where it holds a run already."""
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / METRICS).write_text("")  # first, because a folder with a config.json counts as a run
        replace_file(self.path / CONFIG, config)

    def drop_if_empty(self) -> None:
        """Removes the folder of a run that could not start; does nothing where it holds files."""
        with contextlib.suppress(OSError):
            self.path.rmdir()

    @contextlib.contextmanager
    def claimed(self) -> Generator[None]:
        """Locks the run for this process. Raises `BlockingIOError` where another process has locked it."""
        with (self.path / CONFIG).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(f"another process is training the run in {self.path}") from None
            yield

    def create_or_match(self, config: str, ignoring: Collection[str] = ()) -> None:
        """Creates the folder of a new run, or starts the metrics of the run in it anew where its options are equal.

        Args:
            config: The text of `config.json`.
            ignoring: Names in it that may differ.

        Raises:
            FileExistsError: The folder holds a run with other options.
        """
        if not (self.path / CONFIG).exists():
            self.create(config)
        elif _without(ignoring, self.config()) != _without(ignoring, config):
            raise FileExistsError(f"{self.path} holds a run with other options: choose another --output")
        else:
            self.keep_metrics(0)

    def config(self) -> str:
        """Returns the text of `config.json`. Raises `FileNotFoundError` where there is no run."""
        if not (self.path / CONFIG).exists():
            raise FileNotFoundError(f"{self.path} holds no run: {CONFIG} is missing")
        return (self.path / CONFIG).read_text()

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Writes a checkpoint of tensors and plain values. Raises `OSError` where the disk is full."""
        import torch

        partial = self.path / f"{CHECKPOINT}{PARTIAL}"
        try:
            torch.save(dict(state), partial)
        except RuntimeError as error:  # torch raises it where the disk is full
            raise OSError(f"{partial} cannot be written: {str(error).splitlines()[0]}") from error
        os.replace(partial, self.path / CHECKPOINT)

    def load_checkpoint(self) -> dict[str, Any]:
        """Returns the checkpoint, see `read_checkpoint`."""
        return read_checkpoint(self.path / CHECKPOINT)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends metrics to `metrics.jsonl` and to the TensorBoard events; `step` is the number of episodes played."""
        with (self.path / METRICS).open("a") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")
        if self._events is None:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(self.path), purge_step=step)
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)

    def keep_metrics(self, lines: int) -> None:
        """Keeps the first lines of `metrics.jsonl`, and drops those of rounds after the checkpoint."""
        kept = (self.path / METRICS).read_text().splitlines(keepends=True)[:lines]
        replace_file(self.path / METRICS, "".join(kept))

    def save_evaluation(self, evaluation: Mapping[str, Any], *, replace: bool = True) -> Path:
        """Writes `evaluation.json`, and returns its path.

        With `replace=False`, a file that holds other episodes is kept: the evaluation goes to
        `evaluation-SEED-EPISODES.json` instead.
        """
        name = EVALUATION
        if not (replace or self._has_same_episodes(evaluation)):
            name = f"evaluation-{evaluation['seed']}-{evaluation['episodes']}.json"
        replace_file(self.path / name, json.dumps(evaluation, indent=2) + "\n")
        return self.path / name

    def _has_same_episodes(self, evaluation: Mapping[str, Any]) -> bool:
        """Whether `evaluation.json` holds the episodes of this evaluation, or cannot be read."""
        try:
            old = json.loads((self.path / EVALUATION).read_text())
            return all(old[name] == evaluation[name] for name in ("seed", "episodes"))
        except (OSError, ValueError, TypeError, KeyError):
            return True

    def close(self) -> None:
        """Closes the TensorBoard events."""
        if self._events is not None:
            self._events.close()
            self._events = None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Returns the content of a checkpoint. Code in the file is not executed.

    Raises `FileNotFoundError` where there is no file, and `ValueError` where it is damaged or no checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise errors of many types
        raise ValueError(f"{path} is damaged: it cannot be read as a checkpoint") from error
    if not isinstance(state, dict) or "round" not in state:
        raise ValueError(f"{path} is not a checkpoint of a run")
    return state


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file; a killed process leaves the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


def free_beside(path: Path) -> Path:
    """Returns a free path `NAME.damaged` beside a file or folder, to which a damaged one can be moved."""
    names = (path.with_name(f"{path.name}.damaged{n or ''}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def _without(names: Collection[str], config: str) -> dict[str, Any]:
    try:
        return {name: value for name, value in json.loads(config).items() if name not in names}
    except json.JSONDecodeError as error:
        raise ValueError(f"{CONFIG} is damaged: it cannot be read as a configuration") from error


def new_path(learner: str) -> Path:
    """Creates a new folder under runs/ and returns it; safe where several processes call it at the same time."""
    base = Path("runs") / learner / time.strftime("%Y%m%d-%H%M%S")
    for n in itertools.count():
        with contextlib.suppress(FileExistsError):
            path = base.with_name(f"{base.name}-{n}") if n else base
            path.mkdir(parents=True)
            return path
    raise AssertionError


def newest_path(learner: str) -> Path:
    """Returns the run of a learner under runs/ with the newest checkpoint.

    Raises `FileNotFoundError` where there is none.
    """
    checkpoints = sorted((Path("runs") / learner).glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise FileNotFoundError(f"there is no run under {Path('runs') / learner}: give one with --output")
    return checkpoints[-1].parent
