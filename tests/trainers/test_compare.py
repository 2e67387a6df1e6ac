"""Runs are grouped by all but their seeds, and compared in tables and a plot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainers import ppo, qmix
from trainers.compare import main
from trainers.comparing.runs import curve_of, grouped, read_run
from trainers.runs.configuration import as_json
from trainers.runs.options import preset_run

METRICS = ("delay_s", "energy_j", "memory_gb", "energy_queue", "memory_queue")


def write_run(
    folder: Path,
    *,
    seed: int = 0,
    rounds: int = 4,
    evaluated: float | None = None,
    optimum: float = 0.5,
    env: dict[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Writes a run of PPO whose delay in round k is `seed + 1 / k`."""
    run = preset_run(ppo.LEARNER, "tuned", "VEC-CooperativeInference-v0")
    learner = replace(run.learner, ppo=replace(run.learner.ppo, **options))
    run = replace(run, seed=seed, learner=learner, num_envs=2, episodes=2 * rounds, threads=1 + seed)
    run = replace(run, env=replace(run.env, **(env or {})))
    folder.mkdir()
    (folder / "config.json").write_text(as_json(run, "ppo"))
    lines = [
        {"episodes": 2 * k, "return_mean": -1.0 * k, **dict.fromkeys(METRICS, 1.0), "delay_s": seed + 1.0 / k}
        for k in range(1, rounds + 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    if evaluated is not None:
        means = {f"{name}_mean": evaluated for name in METRICS} | {"return_mean": -evaluated}
        reported = [{"name": name, "unit": "s", "final": False} for name in METRICS]
        references = {"optimum": {name: optimum for name in means}}
        content = {"seed": 5, "episodes": 2, "reported": reported, "to_beat": "optimum", "references": references}
        (folder / "evaluation.json").write_text(json.dumps(content | means))
    return folder


def test_runs_that_differ_in_seed_and_threads_alone_are_one_group(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path / "a", seed=0),
        write_run(tmp_path / "b", seed=1, rounds=4),
        write_run(tmp_path / "c", seed=0, learning_rate=0.5),
    ]
    groups = grouped([read_run(path) for path in paths])
    assert [(group.name, len(group.runs)) for group in groups] == [
        ("ppo (tuned)", 2),
        ("ppo (tuned) --learner.learning-rate 0.5", 1),
    ]
    curve = curve_of(groups[0], "delay_s", window=1)
    np.testing.assert_allclose(curve.episodes, [2, 4, 6, 8])
    np.testing.assert_allclose(curve.low, [1.0, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(curve.high - curve.low, 1.0)
    np.testing.assert_allclose(curve.mean - curve.low, 0.5)
    np.testing.assert_allclose(curve_of(groups[1], "delay_s", window=2).mean, [1.0, 3 / 4, 5 / 12, 7 / 24])


def test_a_run_that_still_trains_is_compared_up_to_its_last_round(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / str(seed), seed=seed) for seed in range(2)]
    lines = (paths[1] / "metrics.jsonl").read_text().splitlines(keepends=True)
    (paths[1] / "metrics.jsonl").write_text("".join(lines[:2]) + '{"episodes": 6, "del')
    (group,) = grouped([read_run(path) for path in paths])
    assert len(curve_of(group, "delay_s", window=1).mean) == 2


def test_tables_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    paths = [
        write_run(tmp_path / "a", seed=0, evaluated=1.0),
        write_run(tmp_path / "b", seed=1, evaluated=3.0),
        write_run(tmp_path / "c", learning_rate=0.5),
    ]
    plot = tmp_path / "new" / "plot.svg"
    main([*map(str, paths), "--output", str(plot)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (of_group,) = [line for line in lines if line[:3] == ["ppo", "(tuned)", "2"] and line[3] == "2.000"]
    assert of_group[3:8] == ["2.000", "s", "(1.000", "to", "3.000)"]
    assert [line[0] for line in lines if line and line[0] in ("ppo", "optimum")] == ["ppo", "ppo", "optimum", "ppo"]
    assert ["without", "an", "evaluation.json:", str(paths[2])] in lines
    text = plot.read_text()
    for words in ("ppo (tuned) --learner.learning-rate 0.5", "optimum", "delay [s]", "training episodes"):
        assert words in text


def test_runs_of_different_worlds_have_references_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    paths = [
        write_run(tmp_path / "a", evaluated=1.0),
        write_run(tmp_path / "b", evaluated=3.0, optimum=2.0, env={"bandwidth_mhz": 1.0}),
        write_run(tmp_path / "c", evaluated=4.0, env={"reward": "drift"}),
    ]
    main([*map(str, paths), "--output", str(tmp_path / "plot.svg")])
    tables = capsys.readouterr().out.split("held-out episodes")[1:]
    shown = [[line.split("  ")[0] for line in table.splitlines()[2:] if "  " in line] for table in tables]
    assert shown == [
        ["optimum", "ppo (tuned)", "ppo (tuned) --env.reward drift"],
        ["optimum", "ppo (tuned) --env.bandwidth-mhz 1.0"],
    ]
    assert "0.5000 s" in tables[0]
    assert "2.000 s" in tables[1]
    text = (tmp_path / "plot.svg").read_text()
    assert "optimum" not in text
    assert "ppo (tuned) --env.bandwidth-mhz 1.0" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a", "nothing"], "nothing holds no run"),
        (["a", "a"], "a and a are the same run: equal options and the seed 0"),
        (["a", "other"], "runs to compare must be of one environment, got VEC-Coop"),
        (["a", "--metric", "delay"], "--metric must be one of return_mean, delay_s, "),
        (["a", "--output", "plot.jpg"], "--output must end in .png, .svg or .pdf, got 'plot.jpg'"),
        (["a", "--output", "a/config.json/plot.png"], "cannot be written"),
        (["fresh"], "fresh has not finished a round of training"),
        (["damaged"], "damaged: config.json is damaged"),
        (["a", "--window", "0"], "--window must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    write_run(tmp_path / "fresh", rounds=1)
    (tmp_path / "fresh" / "metrics.jsonl").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text("[]")
    other = write_run(tmp_path / "other")
    (other / "config.json").write_text(as_json(preset_run(qmix.LEARNER, "tuned", "VEC-DNNPartition-v0"), "qmix"))
    (other / "metrics.jsonl").write_text('{"episodes": 16}\n')
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert says in f"{refused.value}{capsys.readouterr().err}"
