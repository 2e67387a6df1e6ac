"""What takes longer than it may is ended, within another limit too."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.jobs.execute import evaluate
from benchmarks.jobs.files import failure_of, log_of
from benchmarks.jobs.plan import Job, jobs_of
from benchmarks.policies import custom as given
from benchmarks.policies.time_limits import at_most
from benchmarks.suites.suite import Case, Given


def test_a_limit_goes_on_after_one_within_it() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"the whole took longer than 0\.3 s"), at_most(0.3, "the whole"):
        _parts_then_sleep()
    assert time.monotonic() - began < 20.0


def _parts_then_sleep() -> None:
    for seconds in (20.0, 0.2):
        with at_most(seconds, "a part"):
            pass
    time.sleep(30.0)


def test_of_two_limits_the_one_that_is_over_first_counts() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="the whole took"), at_most(0.2, "the whole"), at_most(30.0, "a part"):
        time.sleep(40.0)
    with pytest.raises(ValueError, match="a part took"), at_most(30.0, "the whole"), at_most(0.2, "a part"):
        time.sleep(40.0)
    time.sleep(0.3)  # nothing rings any more
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("process 7\nTimeout (0:00:30)!\nThread 1:\n  File x", "could not be stopped otherwise. Timeout (0:00:30)!"),
        ("process 7\nTimeout (0:00:30)!\nThread 1:\nprocess 8\nfailed: no road", "ended with code 1: failed: no road"),
        ("", "it said nothing"),
    ],
)
def test_a_process_that_was_ended_is_told_from_one_that_failed(tmp_path: Path, log: str, says: str) -> None:
    job = Job({"env_id": "", "policy": {"reference": "random"}, "evaluation": {}})
    path = log_of(job, tmp_path)
    path.parent.mkdir()
    path.write_text(log)
    assert str(failure_of(job, 1, tmp_path)).splitlines()[0].endswith(says)


def test_a_policy_that_never_gets_made_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the process of a job its module has not been imported yet: that has a limit of its own."""
    (tmp_path / "stuck.py").write_text(
        "import time\n\n\nclass Stuck:\n    def __init__(self, problem):\n        time.sleep(60.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    env = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 6, "mobility": "straight"}
    case = Case(name="two", env_id="VEC-DNNPartition-v0", env=env, policies=(), episodes=2)
    (job,) = jobs_of(case, Given(name="stuck", source="stuck:Stuck"), 1)
    given.maker.cache_clear()
    with pytest.raises(ValueError, match=r"making the policy took longer than 0\.6 s"):
        evaluate(replace(job, decision_limit_s=0.02), None)
