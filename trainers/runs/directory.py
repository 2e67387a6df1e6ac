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
from typing import TYPE_CHECKING, Any, cast

from trainers.runs.checkpoints import read_checkpoint
from vec_envs.files import parse_json, read_bytes, read_json, read_text, reason_not_to_write

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CONFIG, CHECKPOINT, METRICS, EVALUATION = "config.json", "checkpoint.pt", "metrics.jsonl", "evaluation.json"
MOST_CONFIG_BYTES = 2**22
"""The largest size of `config.json`, which holds the networks of the run: about 20,000 layers."""
MOST_METRICS_BYTES = 2**28
"""The largest size of `metrics.jsonl`: about a million rounds."""
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
        """Raises `OSError` unless a run can be written to the folder.

        It is `FileExistsError` where the folder holds a run or a checkpoint already, or the path is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path} is a file: choose another folder")
        if (self.path / CONFIG).exists():
            raise FileExistsError(self._taken())
        if (self.path / CHECKPOINT).exists():
            raise FileExistsError(
                f"{self.path} holds a {CHECKPOINT} without a {CONFIG}: choose another folder, or delete this one"
            )
        if problem := reason_not_to_write(self.path):
            raise PermissionError(f"{problem}: choose another folder")

    def create(self, config: str) -> None:
        """Creates the folder of a new run. Of several processes that do so at one instant, one succeeds.

        Raises `FileExistsError` where the folder holds a run already.
        """
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            create_file(self.path / CONFIG, config)
        except FileExistsError:
            raise FileExistsError(self._taken()) from None
        replace_file(self.path / METRICS, "")

    def _taken(self) -> str:
        return f"{self.path} holds a run already: choose another folder, or continue that run with --resume"

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
        """Creates the folder of a new run, or does nothing where it holds a run with equal options.

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

    def config(self) -> str:
        """Returns the text of `config.json`. Raises `FileNotFoundError` where there is no run."""
        if not (self.path / CONFIG).exists():
            raise FileNotFoundError(f"{self.path} holds no run: {CONFIG} is missing")
        return read_text(self.path / CONFIG, most_bytes=MOST_CONFIG_BYTES)

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Writes a checkpoint of tensors and plain values. Raises `OSError` where the disk is full."""
        import torch

        partial = self.path / f"{CHECKPOINT}{PARTIAL}"
        try:
            torch.save(dict(state), partial)
        except RuntimeError as error:  # torch raises it where the disk is full
            raise OSError(f"{partial} cannot be written: {str(error).splitlines()[0]}") from error
        os.replace(partial, self.path / CHECKPOINT)

    def has_checkpoint(self) -> bool:
        """Whether the run has a checkpoint; a run that was killed at its very start has none.

        Raises `FileNotFoundError` where rounds were played and the checkpoint is lost.
        """
        if (self.path / CHECKPOINT).exists():
            return True
        if (self.path / METRICS).exists() and (self.path / METRICS).stat().st_size:
            raise FileNotFoundError(
                f"{self.path} has lost its {CHECKPOINT}: put it back, or delete the folder to train again"
            )
        return False

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

    def metrics(self, rounds: int, *, num_envs: int = 1) -> list[str]:
        """Returns the lines of `metrics.jsonl` that can be read, of the first rounds of a training.

        There are fewer lines than rounds where the file is damaged, shorter or missing.
        """
        path = self.path / METRICS
        text = read_bytes(path, most_bytes=MOST_METRICS_BYTES).decode(errors="replace") if path.exists() else ""
        lines = {_episodes_of(line): line for line in reversed(text.split("\n"))}
        played = (episodes for episodes in sorted(lines) if 0 < episodes <= rounds * num_envs)
        return [lines[episodes] for episodes in played if episodes % num_envs == 0]

    def keep_metrics(self, rounds: int, *, num_envs: int = 1) -> int:
        """Keeps the lines of `metrics` alone in the file, and returns their number.

        So the rounds after the checkpoint are dropped, and lines that cannot be read.
        """
        kept, path = self.metrics(rounds, num_envs=num_envs), self.path / METRICS
        content = "".join(f"{line}\n" for line in kept).encode()
        if not path.exists() or path.read_bytes() != content:
            replace_file(path, content)
        return len(kept)

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
            old = read_json(self.path / EVALUATION)
            return all(old[name] == evaluation[name] for name in ("seed", "episodes"))
        except (OSError, ValueError, TypeError, KeyError):
            return True

    def close(self) -> None:
        """Closes the TensorBoard events."""
        if self._events is not None:
            self._events.close()
            self._events = None


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file; a killed process leaves the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


def create_file(path: Path, content: str) -> None:
    """Creates a file with its whole content. Raises `FileExistsError` where there is one, also of another process."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    partial.write_text(content)
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with path.open("x") as file:
            file.write(content)
    finally:
        partial.unlink()


def _episodes_of(line: str) -> int:
    """Returns the number of episodes that a line of `metrics.jsonl` gives; 0 where it cannot be read."""
    try:
        row = parse_json(line)
    except ValueError:
        return 0
    values = cast(dict[str, Any], row) if isinstance(row, dict) else {}
    readable = all(type(value) in (int, float) for value in values.values())
    return values["episodes"] if readable and type(values.get("episodes")) is int else 0


def free_beside(path: Path) -> Path:
    """Returns a free path `NAME.damaged` beside a file or folder, to which a damaged one can be moved."""
    names = (path.with_name(f"{path.name}.damaged{n or ''}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def _without(names: Collection[str], config: str) -> dict[str, Any]:
    try:
        return {name: value for name, value in parse_json(config).items() if name not in names}
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{CONFIG} is damaged: it cannot be read as a configuration") from error


def folder_of(learner: str) -> Path:
    """Returns the folder of a learner's runs that are given no folder of their own."""
    return Path("runs") / learner


def new_path(learner: str) -> Path:
    """Creates a new folder under runs/ and returns it; safe where several processes call it at the same time."""
    base = folder_of(learner) / time.strftime("%Y%m%d-%H%M%S")
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
    checkpoints = sorted(folder_of(learner).glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise FileNotFoundError(f"there is no run under {folder_of(learner)}: give one with --output")
    return checkpoints[-1].parent
