"""Which SUMO made the traffic: asked of the simulator, written beside runs, results and recordings, and compared."""

from __future__ import annotations

import dataclasses
import json
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.results.provenance import traffic_version
from benchmarks.results.result import Result
from benchmarks.results.traffic_versions import warn_of_mixed_sumo, warn_of_other_sumo
from trainers.ppo import LEARNER
from trainers.runs import configuration
from trainers.runs.options import preset_run
from vec_envs.mobility import ReplayMobility
from vec_envs.mobility.origin import origin_of_recording, other_version, sumo_version, version_of_traffic
from vec_envs.mobility.recording import RECORDINGS, read_recording, write_recording

SHIPPED = RECORDINGS / "motorway.npz"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets SUMO 9.9.9 run."""
    for module in ("vec_envs.mobility.origin", "vec_envs.mobility.replay"):
        monkeypatch.setattr(f"{module}.sumo_version", lambda *_: "9.9.9")
    return "9.9.9"


@pytest.mark.slow
def test_the_version_is_that_of_the_simulator_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sumo_version() == metadata.version("libsumo")
    (tmp_path / "libsumo.py").write_text(
        "class simulation:\n    getVersion = staticmethod(lambda: (22, 'SUMO 1.20.0'))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sumo_version.cache_clear()
    try:
        assert sumo_version() == "1.20.0"
        (tmp_path / "libsumo.py").write_text("raise ImportError('libatomic.so')")
        sumo_version.cache_clear()
        assert sumo_version() is None
    finally:
        sumo_version.cache_clear()


def recorded(path: Path, **made_by: str) -> Path:
    road, slot_s, windows = read_recording(SHIPPED)
    write_recording(path, road, slot_s, windows[:1], origin=made_by)
    return path


def test_a_recording_says_what_made_it(tmp_path: Path) -> None:
    assert origin_of_recording(SHIPPED) == {}
    assert origin_of_recording(recorded(tmp_path / "a.npz", sumo="1.28.0")) == {"sumo": "1.28.0"}
    assert origin_of_recording(recorded(tmp_path / "b.npz", trace="city.csv")) == {"trace": "city.csv"}
    assert origin_of_recording(recorded(tmp_path / "c.npz", sumo="1;rm -rf", colour="red")) == {}
    assert origin_of_recording(tmp_path / "nowhere.npz") == {}
    for header in ('{"origin": [1]}', "[]", "no", '{"origin": {"sumo": 3}}'):
        np.savez(tmp_path / "d.npz", header=np.array(header))
        assert origin_of_recording(tmp_path / "d.npz") == {}


def test_replay_says_that_another_version_recorded_it(tmp_path: Path, now: str) -> None:
    with pytest.warns(RuntimeWarning, match=r"recording old.npz has .* SUMO 1.2.3, but .* SUMO 9.9.9: ") as said:
        ReplayMobility(recorded(tmp_path / "old.npz", sumo="1.2.3"))
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ReplayMobility(recorded(tmp_path / "same.npz", sumo=now))
        ReplayMobility("motorway")


def test_the_version_of_traffic_is_that_of_its_source(tmp_path: Path, now: str) -> None:
    assert version_of_traffic("sumo", "fdr-drive") == now
    assert version_of_traffic("replay", recorded(tmp_path / "a.npz", sumo="1.2.3")) == "1.2.3"
    assert version_of_traffic("replay", "motorway") is None
    assert version_of_traffic("straight", "") is None
    assert version_of_traffic("my:own", "") is None
    assert traffic_version({"mobility": "sumo", "scenario": "arterial", "sumo_backend": "libsumo", "beta": 1}) == now
    assert other_version(None, now, "x") == other_version("1", None, "x") == other_version(now, now, "x") == ""


def test_a_run_says_the_version_of_its_traffic_and_when_it_is_another(now: str) -> None:
    run = preset_run(LEARNER, "tuned", "VEC-DNNPartition-v0")
    text = configuration.as_json(run, "ppo")
    assert json.loads(text)["versions"]["sumo"] == now
    still = dataclasses.replace(run, env=dataclasses.replace(run.env, mobility="straight"))
    assert json.loads(configuration.as_json(still, "ppo"))["versions"]["sumo"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        configuration.warn_of_other_sumo(text, run)
        for versions in ({"sumo": None}, {"sumo": 3}, {}, [], "old"):  # of older or damaged files
            configuration.warn_of_other_sumo(json.dumps(json.loads(text) | {"versions": versions}), run)
    with pytest.warns(RuntimeWarning, match=r"the run has traffic of SUMO 1.2.3, but"):
        configuration.warn_of_other_sumo(text.replace(now, "1.2.3"), run)


def result(sumo: str | None, mobility: str = "sumo") -> Result:
    versions: dict[str, Any] = {} if sumo is None else {"sumo": sumo}
    env = {"mobility": mobility, "scenario": "fdr-drive", "sumo_backend": "libsumo"}
    made: Any = object.__new__(Result)
    object.__setattr__(made, "provenance", {"versions": versions})
    object.__setattr__(made, "definition", {"evaluation": {"env": env}})
    return made


def test_results_of_other_versions_are_said_once(now: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_other_sumo([result(now), result(None), result("1.2.3", mobility="straight")])
        warn_of_mixed_sumo([result(now), result(None), result(now)])
    with pytest.warns(RuntimeWarning, match=r"^2 results have traffic of SUMO 1.2.3, but .* is of SUMO 9.9.9") as said:
        warn_of_other_sumo([result("1.2.3"), result(now), result("1.2.3")])
    assert len(said) == 1
    with pytest.warns(RuntimeWarning, match=r"several versions of SUMO \(1 of SUMO 1.2.3, 2 of SUMO 9.9.9\)") as said:
        warn_of_mixed_sumo([result("1.2.3"), result(now), result(now)])
    assert len(said) == 1
