"""Checkpoints and metrics that are damaged or of another run: never used, and named with what to do."""

from __future__ import annotations

import json
import math
import multiprocessing
import random
import shutil
import zipfile
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.trainers.runs import metrics, run, weights
from trainers.evaluate import main as evaluate_main
from trainers.export import main as export_main
from trainers.runs.checkpoints import read_checkpoint
from trainers.runs.directory import RunDirectory

FEW = ("--evaluation-episodes", "0", "--checkpoint-s", "1000")
ROUNDS, ENVIRONMENTS = 4, 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four rounds."""
    path = tmp_path_factory.mktemp("finished") / "run"
    run("qmix", path, "--episodes", str(ROUNDS * ENVIRONMENTS), *FEW)
    return path


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def readers(path: Path) -> dict[str, Callable[[], object]]:
    """Returns all that can be done with a run."""
    new = path.with_name("new")
    return {
        "resume": lambda: run("qmix", path, "--resume"),
        "init-from": lambda: run("qmix", new, "--episodes", "16", *FEW, "--init-from", str(path)),
        "evaluate": lambda: evaluate_main([str(path), "--episodes", "1"]),
        "export": lambda: export_main([str(path), str(path.with_name("exported"))]),
    }


# Damage ---------------------------------------------------------------------------------------------------------------


def equal(a: Any, b: Any) -> bool:
    """Whether two contents of checkpoints are equal bit by bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, dict):
        names = list(cast(dict[Any, Any], a))
        return names == list(b) and all(equal(a[name], b[name]) for name in names)
    if isinstance(a, list | tuple):
        items = cast(list[Any], a)
        return len(items) == len(b) and all(map(equal, items, b))
    return a == b


@pytest.mark.slow
@pytest.mark.parametrize("where", ["anywhere", "directory", "folder attribute", "cut"])
def test_no_damaged_copy_loads_with_other_values(where: str, finished: Path, tmp_path: Path) -> None:
    """Torch alone loads most such files with other numbers; it verifies no checksum."""
    written, whole = (finished / "checkpoint.pt").read_bytes(), read_checkpoint(finished / "checkpoint.pt")
    with zipfile.ZipFile(finished / "checkpoint.pt") as archive:
        directory, entries = archive.start_dir, len(archive.infolist())
    attributes = [at + 38 for at in range(directory, len(written)) if written[at : at + 4] == b"PK\x01\x02"]
    assert len(attributes) == entries
    rng, copy, refused = random.Random(1), tmp_path / "copy.pt", 0
    for _ in range(60):
        damaged = bytearray(written)
        at = rng.randrange(0 if where in ("anywhere", "cut") else directory, len(written) - 8)
        if where == "cut":
            del damaged[at:]
        elif where == "folder attribute":
            damaged[rng.choice(attributes)] |= 0x10
        else:
            damaged[at : at + rng.randint(1, 8)] = rng.randbytes(rng.randint(1, 8))
        copy.write_bytes(damaged)
        try:
            loaded = read_checkpoint(copy)
        except ValueError:
            refused += 1
        else:
            assert equal(loaded, whole)
    assert refused > 30


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["resume", "init-from", "evaluate", "export"])
def test_a_checkpoint_with_one_changed_weight_is_refused_by_every_reader(reader: str, copied: Path) -> None:
    content = bytearray((copied / "checkpoint.pt").read_bytes())
    weight = next(iter(weights(copied).values()))
    at = content.index(weight.numpy().tobytes())
    content[at] ^= 1
    (copied / "checkpoint.pt").write_bytes(content)
    with pytest.raises(SystemExit, match=r"checkpoint\.pt is damaged: .*; put back a copy of it, or delete its folder"):
        readers(copied)[reader]()


@pytest.mark.parametrize(
    ("reader", "value"),
    [("resume", math.nan), ("resume", math.inf), ("init-from", math.nan), ("evaluate", math.inf), ("export", math.nan)],
)
def test_weights_that_are_not_finite_are_refused_by_every_reader(reader: str, value: float, copied: Path) -> None:
    directory = RunDirectory(copied)
    state = directory.load_checkpoint()
    name = next(iter(state["algorithm"]))
    state["algorithm"][name].view(-1)[0] = value
    directory.save_checkpoint(state)
    with pytest.raises(SystemExit, match=f"weights that are not finite, the first in {name}: its training has diverg"):
        readers(copied)[reader]()


# Checkpoints of other runs --------------------------------------------------------------------------------------------


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def remove(state: dict[str, Any]) -> None:
        for name in names[:-1]:
            state = state[name]
        del state[names[-1]]

    return remove


def one_environment_less(state: dict[str, Any]) -> None:
    generators = json.loads(state["generators"])
    generators["lanes"].pop()
    state["generators"] = json.dumps(generators)


def other_observations(state: dict[str, Any]) -> None:
    fields = state["experience"]["buffer"]["fields"]
    fields["obs"] = fields["obs"][..., :1]  # would broadcast


UNFIT: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no experience": (without("experience"), "run: 'experience' is missing"),
    "no generator": (without("torch_generator"), "run: 'torch_generator' is missing"),
    "no generators": (without("generators"), "run: 'generators' is missing"),
    "no buffer": (without("experience", "buffer"), "run: 'buffer' is missing"),
    "no optimisers": (without("algorithm", "_optimizers"), "agents, actions or networks: _optimizers is missing"),
    "num_envs": (one_environment_less, "run: it has num_envs=3, this run has num_envs=4"),
    "rounds": (lambda state: state.update(round=9), "run: it has 9 rounds, this run has 4"),
    "observations": (other_observations, "run: 'obs' of the replay buffer is float32 of shape"),
    "optimisers": (lambda state: state["algorithm"]["_optimizers"].pop(), "agents, actions or networks: "),
}


@pytest.mark.parametrize("change", list(UNFIT))
def test_a_checkpoint_that_lacks_a_part_is_not_resumed(change: str, copied: Path) -> None:
    do, words = UNFIT[change]
    directory = RunDirectory(copied)
    state = directory.load_checkpoint()
    do(state)
    directory.save_checkpoint(state)
    with pytest.raises(SystemExit, match=rf"checkpoint\.pt belongs to another (learner, .*)?{words}"):
        run("qmix", copied, "--resume")


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["resume", "evaluate", "export"])
def test_a_checkpoint_of_other_networks_is_refused_in_the_words_of_init_from(reader: str, copied: Path) -> None:
    other = copied.with_name("other")
    run("qmix", other, "--episodes", "8", *FEW, "--learner.hidden", "8")
    shutil.copyfile(other / "checkpoint.pt", copied / "checkpoint.pt")
    words = r"belongs to another learner, other agents, actions or networks: \S+ is of shape \(.*\), must be of shape"
    with pytest.raises(SystemExit, match=words):
        readers(copied)[reader]()
    with pytest.raises(SystemExit, match=words):
        run("qmix", copied.with_name("third"), "--episodes", "8", *FEW, "--init-from", str(copied / "checkpoint.pt"))


# Folders without a checkpoint -----------------------------------------------------------------------------------------


def test_a_run_that_was_killed_before_its_first_checkpoint_is_resumed_from_the_start(copied: Path) -> None:
    before = metrics(copied), weights(copied)
    (copied / "checkpoint.pt").unlink()
    (copied / "metrics.jsonl").unlink()
    run("qmix", copied, "--resume")
    assert metrics(copied) == before[0]
    assert equal(weights(copied), before[1])


def test_a_run_that_has_lost_its_checkpoint_says_what_to_delete(copied: Path) -> None:
    (copied / "checkpoint.pt").unlink()
    with pytest.raises(SystemExit, match=r"has lost its checkpoint\.pt: put it back, or delete the folder to train ag"):
        run("qmix", copied, "--resume")
    assert len(metrics(copied)) == ROUNDS


def test_a_checkpoint_without_a_config_is_not_written_over(copied: Path) -> None:
    (copied / "config.json").unlink()
    before = (copied / "checkpoint.pt").read_bytes()
    with pytest.raises(SystemExit, match=r"holds a checkpoint\.pt without a config\.json: choose another folder, or d"):
        run("qmix", copied, "--episodes", "16", *FEW)
    assert (copied / "checkpoint.pt").read_bytes() == before


# Metrics --------------------------------------------------------------------------------------------------------------

LINES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "last line cut": (lambda text: text[:-20], 1),
    "rubbish in the middle": (lambda text: text[:400] + b"\xff\x00\n{[" + text[410:], 1),
    "no newline between two": (lambda text: text.replace(b"\n", b"", 1), 2),
    "shorter": (lambda text: text[: text.index(b"\n") + 1], 3),
    "empty": (lambda text: b"", 4),
    "nested rubbish": (lambda text: text + b"[" * 100_000, 0),
    "longer": (lambda text: text + text.splitlines()[-1].replace(b'"episodes": 16', b'"episodes": 20') + b"\n", 0),
    "twice": (lambda text: text + text, 0),
    "text for a number": (lambda text: text.replace(b'"episodes": 8', b'"episodes": "8"'), 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", list(LINES))
def test_damaged_metrics_are_mended_by_a_resumed_run(
    damage: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm, lost = LINES[damage]
    path, whole = copied / "metrics.jsonl", metrics(copied)
    path.write_bytes(harm(path.read_bytes()))
    run("qmix", copied, "--resume")
    printed = capsys.readouterr().out
    assert (f"{path} was damaged: {lost} of 4 rounds are lost" in printed) == bool(lost)
    assert [row for row in whole if row in metrics(copied)] == metrics(copied)
    assert len(metrics(copied)) == ROUNDS - lost


# Two at an instant ----------------------------------------------------------------------------------------------------

PROCESSES, TRIES = 4, 20


def begin(folder: Path, number: int, barrier: Barrier, results: Any) -> None:
    """Begins a run in each of some folders, and says in which it has won. Every process first finds them free."""
    check_free, won = RunDirectory.check_free, list[int]()

    def check_together(self: RunDirectory) -> None:
        check_free(self)
        barrier.wait(timeout=100)

    RunDirectory.check_free = check_together  # of this process alone
    for n in range(TRIES):
        directory = RunDirectory(folder / str(n))
        try:
            directory.create(json.dumps({"number": number}))
            won.append(n)
        except FileExistsError:
            continue
    results.put((number, won))


def test_of_runs_begun_in_one_folder_at_one_instant_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    processes = [context.Process(target=begin, args=(tmp_path, n, barrier, results)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    won = dict(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    assert sorted(n for of in won.values() for n in of) == list(range(TRIES))
    for number, of in won.items():
        for n in of:
            assert json.loads(RunDirectory(tmp_path / str(n)).config()) == {"number": number}
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["config.json", "metrics.jsonl"]
