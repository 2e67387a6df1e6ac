"""The report of `python -m vec_envs`."""

from __future__ import annotations

import json

import pytest

from vec_envs import installation
from vec_envs.__main__ import main
from vec_envs.installation import Check, Report, installs, report
from vec_envs.registration import ENVIRONMENTS


@pytest.fixture
def without_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the checks that start processes."""
    monkeypatch.setattr(installation, "_probed", lambda code: (["qmix"], "") if "LEARNERS" in code else ([], ""))


@pytest.mark.usefixtures("without_probes")
def test_the_report_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["environments"]) == list(ENVIRONMENTS)
    assert "best-response-drift" in found["environments"]["VEC-DNNPartition-v0"]
    assert "motorway" in found["live_roads"]
    assert "vgg16" in found["networks"]
    assert found["learners"] == ["qmix"]
    assert found["packages"]["gymnasium"]
    assert found["checks"]["GPU"]["works"] is False
    assert main([]) == 0
    assert "Networks:" in capsys.readouterr().out


def test_sumo_that_does_not_start_is_reported_with_a_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "ImportError: libX11.so.6: cannot open shared object file"
    monkeypatch.setattr(installation, "_probed", lambda code: (None, broken))
    assert main([]) == 1
    printed = capsys.readouterr().out
    assert broken in printed
    assert "apt-get install libatomic1" in printed
    assert 'mobility="replay"' in printed


def test_a_crash_of_a_check_is_an_error_and_no_crash_of_the_report() -> None:
    assert installation._probed("import os, signal; os.kill(os.getpid(), signal.SIGKILL)") == (None, "exit status -9")
    assert installation._probed("raise OSError('no such library')") == (None, "OSError: no such library")
    assert installation._probed("print('a warning'); print('[]')") == ([], "")


@pytest.mark.usefixtures("without_probes")
def test_without_torch_the_report_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    checks = report().checks
    assert checks["torch"] == Check(
        works=False, says="torch is not installed; only learners need it", fix=installs("train")
    )
    assert checks["SUMO's window"].fix == installs("sumo")


def test_extras_that_are_incomplete_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda package: "" if package == "cvxpy" else "1.0")
    checks = installation._extras()
    assert checks["extra convex"] == Check(works=False, says="missing: cvxpy", fix=installs("convex"))
    assert checks["extra ray"].works
    assert not any(name.removeprefix("extra ") in installation.NOT_FOR_USERS for name in checks)


@pytest.mark.slow
def test_sumo_starts_here() -> None:
    found: Report = report()
    assert found.checks["SUMO"].works, found.checks["SUMO"]
    assert found.sound
    assert "qmix_diffusion" in found.learners
