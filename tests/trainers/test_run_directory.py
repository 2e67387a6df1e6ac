"""What a run's folder holds: never written over, continued as it was configured, and named when damaged."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sumo_scenarios import record
from tests.trainers.runs import SMALL, run
from trainers import qmix
from trainers.evaluate import main as evaluate_main
from trainers.loop.training import main
from trainers.runs.command_line import parse
from trainers.runs.directory import RunDirectory, new_path
from vec_envs.mobility.recording import find_recording


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    with pytest.raises(SystemExit, match="holds a run already"):
        run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_resuming_with_another_learner_is_refused(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    says = rf"{tmp_path / 'run'} cannot be resumed: .*, not one of 'qmix_diffusion': use python -m trainers\.qmix"
    with pytest.raises(SystemExit, match=says):
        run("qmix_diffusion", tmp_path / "run", "--resume")


def test_a_run_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    for wrong in (["--device", "abacus"], ["--env.num-client-vehicles", "0"], ["--env.episode-slots", "900"]):
        with pytest.raises(SystemExit):
            run("qmix", tmp_path / "run", *wrong)
        assert not (tmp_path / "run").exists()
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")


@pytest.mark.slow
def test_resume_refuses_what_it_cannot_change_and_takes_what_it_can(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0")
    with pytest.raises(SystemExit, match="episodes cannot be changed, only device"):
        run("qmix", tmp_path / "run", "--resume", "--episodes", "40")
    run("qmix", tmp_path / "run", "--resume", "--episodes", "8", "--evaluation-episodes", "3", "--evaluation-seed", "7")
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (evaluation["episodes"], evaluation["seed"]) == (3, 7)


def test_resume_sees_what_is_asked_for_though_it_be_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that are not given keep the run's values; given options are compared, even if they equal the preset's."""
    from trainers.qmix import LEARNER
    from trainers.runs.configuration import configured, resumed

    few = ("--checkpoint-s", "7", "--evaluation-episodes", "0", "--learner.discount", "0.5")
    run("qmix", tmp_path / "run", "--episodes", "8", *few)
    begun = configured(LEARNER, tmp_path / "run")
    at = ["--resume", "--output", str(tmp_path / "run")]
    assert resumed(begun, parse(LEARNER, at)) == begun
    assert resumed(begun, parse(LEARNER, [*at, "--checkpoint-s", "60"])).checkpoint_s == 60.0
    with pytest.raises(ValueError, match=r"own options: learner.discount, episodes cannot be changed"):
        resumed(begun, parse(LEARNER, [*at, "--learner.discount", "0.9", "--episodes", "1920"]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="there is no run under"):
        parse(LEARNER, ["--resume"])


@pytest.mark.parametrize("name", ["checkpoint.pt", "config.json"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    (tmp_path / "run" / name).write_text("junk")
    for again in (lambda: run("qmix", tmp_path / "run", "--resume"), lambda: evaluate_main([str(tmp_path / "run")])):
        with pytest.raises(SystemExit, match=f"{name} is damaged"):
            again()


def test_a_run_is_one_processs_at_a_time(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create("{}")
    with directory.claimed():
        other = RunDirectory(tmp_path / "run").claimed()
        with pytest.raises(BlockingIOError, match="another process is training the run in"):
            other.__enter__()
    with directory.claimed():
        pass


def test_every_new_run_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [new_path("qmix") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.is_dir() for path in paths)


def test_a_run_that_cannot_begin_makes_and_announces_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong, says in (
        (["--learner.warm-up-episodes", "32", "--episodes", "8"], "must be above warm_up_episodes=32"),
        (["--env.mobility", "reply"], r"did you mean replay\?"),
        (["--env.mobility", "replay", "--env.scenario", "nowhere"], "scenario must be one of"),
        (["--device", "abacus"], "device='abacus' cannot be used"),
    ):
        with pytest.raises(SystemExit, match=says):
            main(qmix.LEARNER, parse(qmix.LEARNER, [*SMALL, *wrong]))
    assert "is written to" not in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    torch.save([1, 2], tmp_path / "run" / "checkpoint.pt")
    for wrong in (lambda: evaluate_main([str(tmp_path / "run")]), lambda: run("qmix", tmp_path / "run", "--resume")):
        with pytest.raises(SystemExit, match=r"checkpoint\.pt is not a checkpoint of a run"):
            wrong()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the full disk is Linux's")
def test_a_full_disk_ends_a_run_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt.new").symlink_to("/dev/full")
    with pytest.raises(SystemExit, match=r"checkpoint\.pt\.new cannot be written"):
        run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")


def test_a_run_of_another_version_is_refused_by_the_version_that_wrote_it(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["versions"] |= {"vec-envs": "0.0.9", "commit": "5a8c80c3079e80235624e5dbe69d54c283c33f09"}
    by = r"the run was written by vec-envs 0\.0\.9 \(commit 5a8c80c\) and does not fit this version: "
    wrong = [
        ({"env": {**config["env"], "warp": 9}}, "it has the unknown options warp"),
        ({"preset": "best"}, "preset='best' is unknown"),
        ({"env_id": "VEC-Nothing-v0"}, "the environment 'VEC-Nothing-v0' is unknown"),
        ({"speed": 1}, ""),
    ]
    for changed, why in wrong:
        (tmp_path / "run" / "config.json").write_text(json.dumps({**config, **changed}))
        with pytest.raises(SystemExit, match=by + why):
            evaluate_main([str(tmp_path / "run")])
    del config["env_id"], config["versions"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit, match=r"written by an unknown version of vec-envs .*: 'env_id' is missing"):
        evaluate_main([str(tmp_path / "run")])


def test_a_road_of_ones_own_is_found_from_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainers.qmix import LEARNER
    from trainers.runs.configuration import as_json, configured, resumed

    (tmp_path / "here" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    begun = parse(LEARNER, ["--env.scenario", "mine"])
    assert begun.env.scenario == str(tmp_path / "here" / "mine")
    RunDirectory(tmp_path / "run").create(as_json(begun, "qmix"))
    again = ["--resume", "--output", str(tmp_path / "run")]
    assert resumed(begun, parse(LEARNER, [*again, "--env.scenario", "mine"])).env == begun.env
    monkeypatch.chdir(tmp_path)
    assert configured(LEARNER, tmp_path / "run").env.scenario == begun.env.scenario
    assert parse(LEARNER, ["--env.scenario", "motorway"]).env.scenario == "motorway"


def test_a_run_on_changed_traffic_is_told(tmp_path: Path) -> None:
    from trainers.qmix import LEARNER
    from trainers.runs.configuration import as_json, from_json, warn_of_other_files

    own = tmp_path / "own.npz"
    shutil.copyfile(find_recording("motorway"), own)
    begun = parse(LEARNER, ["--env.mobility", "replay", "--env.scenario", str(own)])
    text = as_json(begun, "qmix")
    assert from_json(text, LEARNER).env == begun.env
    own.rename(tmp_path / "moved.npz")
    moved = replace(begun, env=replace(begun.env, scenario=str(tmp_path / "moved.npz")))
    with warnings.catch_warnings(action="error"):
        warn_of_other_files(text, moved)
        warn_of_other_files(text, begun)  # the file is lost, which its own error says
    shutil.copyfile(find_recording("fdr-drive"), own)
    with pytest.warns(RuntimeWarning, match=r"own\.npz has changed since the run began: its traffic is another one"):
        warn_of_other_files(text, begun)
    assert '"files"' not in as_json(parse(LEARNER, ["--env.mobility", "replay"]), "qmix")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(PermissionError, match="file is not a folder: choose another folder"):
        RunDirectory(tmp_path / "file" / "run").check_free()
    RunDirectory(tmp_path / "new" / "run").check_free()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no files, not even from root")
def test_a_folder_without_room_for_files_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PermissionError, match=r"no file can be written in the folder /proc .*: choose another folder"):
        RunDirectory(Path("/proc/run")).check_free()
    with pytest.raises(SystemExit):
        record.main(["two-way-road", "--output", "/proc/x.npz"])
    assert "no file can be written in the folder /proc" in capsys.readouterr().err
