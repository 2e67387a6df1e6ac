"""The folder of a run: configuration, checkpoint, metrics, TensorBoard events, evaluation.

Torch is imported where it is needed: `trainers.evaluate` reads its command line first.
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
LEFT_OVER = ".new"
"""How a file's name ends while it is written."""


class RunDirectory:
    """Writes a run's files. What replaces a file is written beside it and renamed: a kill leaves the old one whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: SummaryWriter | None = None

    def check_free(self) -> None:
        """Raises `FileExistsError` where the folder holds a run already, or is no folder."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path} is a file: choose another folder")
        if (self.path / CONFIG).exists():
            raise FileExistsError(
                f"{self.path} holds a run already: choose another folder; a training goes on by --resume"
            )

    def create(self, config: str) -> None:
        """Makes the folder of a new run. Raises `FileExistsError` where it holds one already."""
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / METRICS).write_text("")  # first: a folder with a configuration holds a run
        replace_file(self.path / CONFIG, config)

    def drop_if_empty(self) -> None:
        """Removes the folder of a run that could not begin."""
        with contextlib.suppress(OSError):
            self.path.rmdir()

    @contextlib.contextmanager
    def claimed(self) -> Generator[None]:
        """Holds the run for this process. Raises `BlockingIOError` where another one is at it."""
        with (self.path / CONFIG).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(f"another process is training the run in {self.path}") from None
            yield

    def create_or_match(self, config: str, but_for: Collection[str] = ()) -> None:
        """Makes the folder of a new run, or finds that of the same, but for some of its options.

        Raises `FileExistsError` where it holds another run.
        """
        if not (self.path / CONFIG).exists():
            self.create(config)
        elif _without(but_for, self.config()) != _without(but_for, config):
            raise FileExistsError(f"{self.path} holds a run of other options: choose another --output")
        else:
            self.keep_metrics(0)

    def config(self) -> str:
        """Returns the configuration's text. Raises `FileNotFoundError` where there is no run."""
        if not (self.path / CONFIG).exists():
            raise FileNotFoundError(f"{self.path} holds no run: {CONFIG} is missing")
        return (self.path / CONFIG).read_text()

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Writes tensors and plain values."""
        import torch

        beside = self.path / f"{CHECKPOINT}{LEFT_OVER}"
        try:
            torch.save(dict(state), beside)
        except RuntimeError as error:  # torch's word for a disk that is full
            raise OSError(f"{beside} cannot be written: {str(error).splitlines()[0]}") from error
        os.replace(beside, self.path / CHECKPOINT)

    def load_checkpoint(self) -> dict[str, Any]:
        """Returns the checkpoint, as `read_checkpoint` does."""
        return read_checkpoint(self.path / CHECKPOINT)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends a line of metrics, and to TensorBoard's events."""
        with (self.path / METRICS).open("a") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")
        if self._events is None:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(self.path), purge_step=step)
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)

    def keep_metrics(self, lines: int) -> None:
        """Drops the metrics behind the first `lines`: those of rounds after the checkpoint."""
        kept = (self.path / METRICS).read_text().splitlines(keepends=True)[:lines]
        replace_file(self.path / METRICS, "".join(kept))

    def save_evaluation(self, figures: Mapping[str, Any], *, replace: bool = True) -> Path:
        """Writes `evaluation.json` and returns its path.

        Where that holds other episodes and is not to be replaced, `evaluation-SEED-EPISODES.json` is written instead.
        """
        name = EVALUATION if replace or self._holds_same(figures) else beside_name(figures)
        replace_file(self.path / name, json.dumps(figures, indent=2) + "\n")
        return self.path / name

    def _holds_same(self, figures: Mapping[str, Any]) -> bool:
        """Whether `evaluation.json` is of the same episodes, or there is none that can be read."""
        try:
            there = json.loads((self.path / EVALUATION).read_text())
            return all(there[name] == figures[name] for name in ("seed", "episodes"))
        except (OSError, ValueError, TypeError, KeyError):
            return True

    def close(self) -> None:
        """Ends TensorBoard's events."""
        if self._events is not None:
            self._events.close()
            self._events = None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Returns what a checkpoint's file holds; runs no code of it.

    Raises `FileNotFoundError` where there is none, `ValueError` where it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a reader of pickles makes of bytes that are none
        raise ValueError(f"{path} is damaged: it cannot be read as a checkpoint") from error
    if not isinstance(state, dict) or "round" not in state:
        raise ValueError(f"{path} holds something else: it is no checkpoint of a run")
    return state


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}{LEFT_OVER}")
    beside.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(beside, path)


def free_beside(path: Path) -> Path:
    """Returns a name beside a file or folder, under which what is damaged is put aside: nothing is overwritten."""
    names = (path.with_name(f"{path.name}.damaged{n or ''}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def beside_name(figures: Mapping[str, Any]) -> str:
    """Returns the name of the file for an evaluation on episodes of one's own."""
    return f"evaluation-{figures['seed']}-{figures['episodes']}.json"


def _without(names: Collection[str], config: str) -> dict[str, Any]:
    try:
        return {name: value for name, value in json.loads(config).items() if name not in names}
    except json.JSONDecodeError as error:
        raise ValueError(f"{CONFIG} is damaged: it cannot be read as a configuration") from error


def new_path(learner: str) -> Path:
    """Makes a folder of its own under runs/, also where several processes ask at once, and returns it."""
    base = Path("runs") / learner / time.strftime("%Y%m%d-%H%M%S")
    for n in itertools.count():
        with contextlib.suppress(FileExistsError):
            path = base.with_name(f"{base.name}-{n}") if n else base
            path.mkdir(parents=True)
            return path
    raise AssertionError


def newest_path(learner: str) -> Path:
    """Returns the newest run under runs/. Raises `FileNotFoundError` where there is none."""
    checkpoints = sorted((Path("runs") / learner).glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise FileNotFoundError(f"there is no run under {Path('runs') / learner}: name one by --output")
    return checkpoints[-1].parent
