"""Pre-training: the expert's files, how well agents imitate the expert, and the training that follows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainers import qmix, qmix_diffusion
from trainers.export import export
from trainers.imitation import fitting as imitation
from trainers.imitation.experts import advantages, made_shard, read_shard, shards
from trainers.imitation.fitting import EXPERTS, main
from trainers.imitation.options import FINE_TUNING
from trainers.loop.evaluation import learned_policy, load_run
from trainers.loop.training import main as train_main
from trainers.pretrain import read_arguments
from trainers.runs.command_line import parse
from trainers.runs.configuration import from_json
from trainers.runs.directory import RunDirectory, read_checkpoint
from vec_envs import dnn_partition_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.policies import BestResponse

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 2,
    "num_service_vehicles": 1,
    "episode_slots": 5,
    "reward": "drift",
    "observation": "extended",
}
ENV = [part for name, value in SMALL.items() for part in (f"--env.{name.replace('_', '-')}", str(value))][:8]
LEARNERS = {"qmix": qmix.LEARNER, "qmix_diffusion": qmix_diffusion.LEARNER}
FEW = ("--num-envs", "3", "--episodes", "6", "--epochs", "2", "--learner.hidden", "16", "--evaluation-episodes", "0")


def made(output: Path, *arguments: str) -> Path:
    main(*read_arguments([*ENV, *FEW, "--output", str(output), *arguments]))
    return output / "checkpoint.pt"


def small_env(num_envs: int = 3, **fields: Any) -> BatchVectorEnv:
    return dnn_partition_v0.vector_env(num_envs=num_envs, **{**SMALL, **fields})


def metrics(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


# The expert's files ---------------------------------------------------------------------------------------------------


def test_an_advantage_is_what_one_client_alone_would_change() -> None:
    with closing(small_env()) as env:
        observation, _ = env.reset(seed=3)
        env.step(env.action_space.sample())
        problem: Any = env.problem
        action = BestResponse(problem, objective="drift").act(observation, env.view)
        change = advantages(env.view, action)
        held = problem.transition(env.view.state, action, env.view.exogenous)[1].reward
        for client, count in enumerate(problem.actions.counts):
            for other in (0, count // 2, count - 1):
                moved = action.copy()
                moved[:, client] = other
                reward = problem.transition(env.view.state, moved, env.view.exogenous)[1].reward
                np.testing.assert_allclose(change[:, client, other], reward - held, rtol=1e-4, atol=1e-3)
            assert (change[:, client, count:] == 0.0).all()
    assert (change <= 1e-3).all()  # nobody gains by leaving a best response


def test_shards_are_made_once_and_reproducible(tmp_path: Path) -> None:
    with closing(small_env()) as env:
        expert = BestResponse(env.problem, objective="drift")
        how: dict[str, Any] = {"expert": expert, "rounds": range(2), "exploration": 0.2, "seed": 7}
        first = list(shards(env, tmp_path, **how))
        files = sorted(tmp_path.iterdir())
        assert [path.name for path in files] == ["shard-0000.npz", "shard-0001.npz"]
        before = [path.read_bytes() for path in files]
        files[0].unlink()
        again = list(shards(env, tmp_path, **how))
    assert [path.read_bytes() for path in files] == before
    assert not np.array_equal(first[0].observation, first[1].observation)
    for one, other in zip(first, again, strict=True):
        assert one.observation.shape == (15, 2, env.problem.observation_size)
        assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def test_some_clients_of_an_expert_act_at_random() -> None:
    with closing(small_env(num_envs=20, dnns=("vgg16",))) as env:
        straight, strayed = (
            made_shard(env, BestResponse(env.problem, objective="drift"), exploration=p, seed=(0, 0))
            for p in (0.0, 1.0)
        )
    assert np.array_equal(straight.observation[:20], strayed.observation[:20])
    assert not np.array_equal(straight.observation[20:], strayed.observation[20:])


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_shard_is_named(damage: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "shard-0000.npz"
    if damage is None:  # an array of objects is a pickle
        np.savez(path, observation=np.array([{}], dtype=object), action=np.zeros(1), advantage=np.zeros(1))
    else:
        path.write_bytes(damage)
    with closing(small_env()) as env, pytest.raises(ValueError, match=r"shard-0000.npz is damaged: delete it"):
        read_shard(path, env.problem)


def test_a_shard_of_another_problem_is_refused(tmp_path: Path) -> None:
    with closing(small_env()) as env:
        how: dict[str, Any] = {"expert": BestResponse(env.problem), "rounds": range(1), "exploration": 0.0, "seed": 0}
        list(shards(env, tmp_path, **how))
    with closing(small_env(num_client_vehicles=3)) as env, pytest.raises(ValueError, match="is of another problem"):
        read_shard(tmp_path / "shard-0000.npz", env.problem)


# Learning -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agents", "more", "regret", "agreement"),
    [
        ("qmix", [], 0.05, 0.5),
        ("qmix_diffusion", [], 0.05, 0.5),
        ("qmix_diffusion", ["--learner.prediction", "noise"], 0.3, 0.1),
    ],
)
def test_agents_learn_to_imitate_the_expert(
    agents: str, more: list[str], regret: float, agreement: float, tmp_path: Path
) -> None:
    """Predicting noise imitates the expert less well than predicting values, but better than chance."""
    made(
        tmp_path,
        *("--agents", agents, "--num-envs", "32", "--episodes", "256", "--epochs", "30", "--learner.hidden", "64"),
        *("--learning-rate", "2e-3", *more),
    )
    logged = metrics(tmp_path)
    assert [line["epoch"] for line in logged] == list(range(1, 31))
    assert logged[-1]["loss"] < 0.5 * logged[0]["loss"]
    assert logged[-1]["regret"] < regret * regret_of_any_action(tmp_path / EXPERTS)
    assert logged[-1]["agreement"] > agreement


def regret_of_any_action(folder: Path) -> float:
    """Returns by how much a reward is below the expert's if an agent acts at random."""
    with closing(small_env()) as env:
        change = np.concatenate([read_shard(path, env.problem).advantage for path in sorted(folder.glob("*.npz"))])
    return float(-change.mean())


@pytest.mark.parametrize("prediction", ["x0", "noise"])
def test_a_denoiser_predicts_x0_or_noise_as_its_options_say(prediction: str) -> None:
    with closing(small_env()) as env:
        given = parse(qmix_diffusion.LEARNER, [*ENV, "--learner.prediction", prediction, "--learner.bound", "2"])
        policy = qmix_diffusion.LEARNER.build(env.problem, given.learner, seed=0).policy
    shape = 64, 2, max(env.problem.actions.counts)
    observation, target = torch.zeros(64, 2, env.problem.observation_size), torch.full(shape, 1.5)
    predicted, wanted = policy.network.fit(observation, target, torch.Generator().manual_seed(0))
    assert predicted.shape == wanted.shape == shape
    if prediction == "x0":
        assert (wanted == target).all()
        assert (predicted.abs() <= 2.0).all()
    else:
        assert abs(float(wanted.mean())) < 0.05
        assert float(wanted.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("agents", ["qmix", "qmix_diffusion"])
def test_training_starts_from_what_was_learned(agents: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(tmp_path / "pre", "--agents", agents)
    learner = LEARNERS[agents]
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"continue with: python -m trainers.{agents} --init-from {file} ")
    asked = parse(learner, said.split()[5:])
    begun = from_json((file.parent / "config.json").read_text(), learner)
    assert asdict(asked.env) == asdict(begun.env)
    assert asdict(asked.learner) == {**(of := asdict(begun.learner)), "qmix": {**of["qmix"], **FINE_TUNING}}
    few = ("--num-envs", "3", "--episodes", "6", "--learner.hidden", "16", "--learner.warm-up-episodes", "3")
    learned = ("--learner.learning-rate", "1e-12", "--learner.target-update-rate", "1e-9", "--evaluation-episodes", "0")
    arguments = [*ENV, *few, *learned, "--output", str(tmp_path / "run")]
    train_main(learner, parse(learner, [*arguments, "--init-from", str(file.parent)]))
    ours, theirs = (read_checkpoint(path)["algorithm"] for path in (tmp_path / "run" / "checkpoint.pt", file))
    assert (
        f"{file.parent / 'checkpoint.pt'} were trained with other values of learner.learning_rate, "
        in capsys.readouterr().out
    )
    names = [name for name in ours if name.startswith(("policy", "target"))]
    assert len(names) > 4
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in names)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["init_from"] == str(file.parent)
    assert read_checkpoint(export(file.parent, tmp_path / "exported"))["round"] == 0


@pytest.mark.slow
def test_weights_trained_with_other_options_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meant = ("--learner.prediction", "noise", "--learner.noise", "1")
    file = made(tmp_path / "pre", *meant, "--env.lyapunov-v", "50")
    few = [*ENV, *FEW[:4], *FEW[6:], "--learner.warm-up-episodes", "3", "--init-from", str(file)]
    learner = qmix_diffusion.LEARNER
    train_main(learner, parse(learner, [*few, "--output", str(tmp_path / "run")]))
    said = f"{file} were trained with other values of env.lyapunov_v, learner.prediction, learner.noise, "
    assert said in capsys.readouterr().out
    train_main(learner, parse(learner, [*few, *meant, "--env.lyapunov-v", "50", "--output", str(tmp_path / "same")]))
    assert "trained with other values of learner.warm_up_episodes\n" in capsys.readouterr().out
    (file.parent / "config.json").write_text("junk")
    with pytest.raises(SystemExit, match=r"config\.json is damaged"):
        train_main(learner, parse(learner, [*few, "--output", str(tmp_path / "third")]))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none.pt", "there is no .*none.pt"),
        ("empty.pt", "is damaged"),
        ("other.pt", "belongs to another learner"),
        ("list.pt", "is not a checkpoint of a run"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_named(file: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pt").write_bytes(b"")
    torch.save({"round": 0, "algorithm": {"policy.network.weight": torch.zeros(2)}}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    arguments = [*ENV, "--init-from", str(tmp_path / file), "--output", str(tmp_path / "run"), "--episodes", "64"]
    with pytest.raises(SystemExit, match=message):
        train_main(qmix.LEARNER, parse(qmix.LEARNER, arguments))
    assert not (tmp_path / "run").exists()


# The command line -----------------------------------------------------------------------------------------------------


def test_the_same_command_continues_and_another_is_refused(tmp_path: Path) -> None:
    file = made(tmp_path)
    weights = read_checkpoint(file)["algorithm"]
    (tmp_path / "experts" / "shard-0001.npz").unlink()
    file.unlink()
    again = read_checkpoint(made(tmp_path))["algorithm"]
    assert all(torch.equal(weights[name], again[name]) for name in weights if isinstance(weights[name], torch.Tensor))
    assert [line["epoch"] for line in metrics(tmp_path)] == [1, 2]
    made(tmp_path, "--evaluation-seed", "7")  # which changes nothing of what is learned
    with pytest.raises(SystemExit, match="holds a run with other options"):
        made(tmp_path, "--seed", "1")
    (tmp_path / "config.json").write_text("junk")
    with pytest.raises(SystemExit, match=r"config\.json is damaged"):
        made(tmp_path)


@pytest.mark.slow
def test_agents_become_the_expert_and_learn_from_their_own_episodes(tmp_path: Path) -> None:
    once = read_checkpoint(made(tmp_path / "once", "--agents", "qmix"))["algorithm"]
    again = read_checkpoint(made(tmp_path / "twice", "--agents", "qmix", "--improvements", "1"))["algorithm"]
    assert [line["epoch"] for line in metrics(tmp_path / "twice")] == [1, 2, 3, 4]
    assert metrics(tmp_path / "twice")[:2] == metrics(tmp_path / "once"), "the first part is the same"
    names = [name for name in once if name.startswith("policy.network")]
    assert not all(torch.equal(once[name], again[name]) for name in names)
    folder = tmp_path / "twice" / "improvement-1"
    assert sorted(path.name for path in folder.glob("*.npz")) == ["shard-0002.npz", "shard-0003.npz"]
    learner, run, state = load_run(tmp_path / "once")
    with closing(small_env()) as env:
        shard = read_shard(folder / "shard-0002.npz", env.problem)
        agents = learned_policy(learner, run, state, env.problem)
    np.testing.assert_array_equal(agents.act(shard.observation), shard.action)
    (folder / "shard-0003.npz").unlink()
    same = read_checkpoint(made(tmp_path / "twice", "--agents", "qmix", "--improvements", "1"))["algorithm"]
    assert all(torch.equal(again[name], same[name]) for name in names), "the same command continues"


@pytest.mark.slow
def test_expert_episodes_can_be_shared_but_not_with_other_options(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    own = read_checkpoint(made(tmp_path / "own"))["algorithm"]
    made(tmp_path / "p-qmix", "--experts", str(shared), "--agents", "qmix")
    written = {path.name: path.stat().st_mtime_ns for path in shared.iterdir()}
    assert set(written) == {"episodes.json", "shard-0000.npz", "shard-0001.npz"}
    theirs = read_checkpoint(made(tmp_path / "mad2rl", "--experts", str(shared)))["algorithm"]
    assert {path.name: path.stat().st_mtime_ns for path in shared.iterdir()} == written
    assert not (tmp_path / "mad2rl" / EXPERTS).exists()
    assert all(torch.equal(own[name], theirs[name]) for name in own if isinstance(own[name], torch.Tensor))
    for number, more in enumerate((["--seed", "1"], ["--exploration", "0.2"], ["--env.num-client-vehicles", "3"])):
        name = more[0].removeprefix("--").partition(".")[0]
        with pytest.raises(SystemExit, match=f"holds an expert's episodes with other {name}: choose another folder"):
            made(tmp_path / str(number), "--experts", str(shared), *more)
        assert not (tmp_path / str(number)).exists()
    (shared / "episodes.json").rename(tmp_path / "episodes.json")
    with pytest.raises(SystemExit, match=r"but no episodes\.json"):
        made(tmp_path / "unclaimed", "--experts", str(shared))
    (shared / "episodes.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"episodes\.json is damaged"):
        made(tmp_path / "late", "--experts", str(shared))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agents", "ppo"], "known are: 'qmix_diffusion', 'qmix'"),
        (["--expert", "oracle"], "the reference policy 'oracle' is unknown; known are: 'random'"),
        (["--epochs", "0"], "epochs"),
        (["--exploration", "2"], "exploration"),
        (["--episodes", "3"], "episodes=3 must be more than num_envs=3"),
        (["--resume"], "no --resume and no --init-from"),
        (["--env-id", "VEC-Nothing-v0"], "the environment 'VEC-Nothing-v0' is unknown"),
        (["--env.observation", "paper"], "observation must be 'extended' for known action costs"),
        (["--device", "abacus"], "device='abacus' cannot be used"),
    ],
)
def test_wrong_options_end_with_one_message(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        made(tmp_path, *arguments)
    captured = capsys.readouterr()
    assert message in f"{stopped.value.code} {captured.err} {captured.out}"
    assert not list(tmp_path.iterdir()), "nothing is played for it, and the right command may have the folder"


def test_episodes_shorter_than_the_effects_of_a_decision_are_refused(tmp_path: Path) -> None:
    street = ["--env-id", "VEC-MobileInference-v0", "--expert", "predicted", "--agents", "qmix"]
    short = ["--env.mobility", "straight", "--env.episode-slots", "19", "--output", str(tmp_path / "run")]
    with pytest.raises(
        SystemExit, match="an episode has 19 decision epochs, but the effects of a decision last for 20"
    ):
        main(*read_arguments([*street, *FEW, *short]))
    assert not (tmp_path / "run").exists()


def test_a_pre_training_is_locked_by_one_process(tmp_path: Path) -> None:
    made(tmp_path)
    with RunDirectory(tmp_path).claimed(), pytest.raises(SystemExit, match="another process is training the run in"):
        made(tmp_path)


def test_a_diverging_pre_training_ends_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="try a lower --learning-rate"):
        made(tmp_path, "--learning-rate", "1e20")


def test_the_last_shard_is_not_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[Any] = []
    held: list[Any] = []

    def fitted(algorithm: Any, run: Any, data: Any, rng: Any) -> Iterator[tuple[int, float]]:
        learned.append(data)
        yield 1, 0.0

    monkeypatch.setattr(imitation, "fitted", fitted)
    monkeypatch.setattr(imitation, "imitation_metrics", lambda algorithm, shard: held.append(shard) or {})
    made(tmp_path, "--episodes", "9")
    with closing(small_env()) as env:
        parts = [read_shard(path, env.problem) for path in sorted((tmp_path / EXPERTS).glob("*.npz"))]
    assert len(parts) == 3
    np.testing.assert_array_equal(learned[0].action, np.concatenate([part.action for part in parts[:2]]))
    np.testing.assert_array_equal(held[0].action, parts[2].action)


def test_the_command_line_is_read_before_torch_is_imported() -> None:
    script = (
        "import sys; from trainers.pretrain import read_arguments; read_arguments([]); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
