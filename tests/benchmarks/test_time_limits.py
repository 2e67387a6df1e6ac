"""What takes longer than it may is ended, within another limit too."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.jobs.execute import evaluate
from benchmarks.jobs.files import failure_of, log_of
from benchmarks.jobs.plan import Job, jobs_of
from benchmarks.policies.custom import policy_maker
from benchmarks.policies.time_limits import at_most
from benchmarks.results.kept import Kept
from benchmarks.suites.suite import Case, CustomPolicy


def test_an_outer_limit_continues_after_an_inner_one() -> None:
    with pytest.raises(ValueError, match=r"the whole took longer than 1 s"), at_most(1.0, "the whole"):
        _parts_then_sleep()


def _parts_then_sleep() -> None:
    for seconds in (20.0, 0.9):
        with at_most(seconds, "a part"):
            pass
    time.sleep(600.0)


def test_the_earlier_of_two_limits_applies() -> None:
    with pytest.raises(ValueError, match="the whole took"), at_most(0.2, "the whole"), at_most(500.0, "a part"):
        time.sleep(600.0)
    with pytest.raises(ValueError, match="a part took"), at_most(500.0, "the whole"), at_most(0.2, "a part"):
        time.sleep(600.0)
    time.sleep(0.3)  # no alarm is left over


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("process 7\nTimeout (0:00:30)!\nThread 1:\n  File x", "its process had to be ended. Timeout (0:00:30)!"),
        ("process 7\nTimeout (0:00:30)!\nThread 1:\nprocess 8\nfailed: no road", "ended with code 1: failed: no road"),
        ("", "its log is empty"),
    ],
)
def test_a_timed_out_process_differs_from_a_failed_one(tmp_path: Path, log: str, says: str) -> None:
    job = Job({"env_id": "", "policy": {"reference": "random"}, "evaluation": {}}, Kept())
    path = log_of(job, tmp_path)
    path.parent.mkdir()
    path.write_text(log)
    assert str(failure_of(job, 1, tmp_path)).splitlines()[0].endswith(says)


def test_a_policy_whose_construction_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the process of a job its module has not been imported yet: that has a limit of its own."""
    (tmp_path / "stuck.py").write_text(
        "import time\n\n\nclass Stuck:\n    def __init__(self, problem):\n        time.sleep(600.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    env = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 6, "mobility": "straight"}
    case = Case(name="two", env_id="VEC-DNNPartition-v0", env=env, policies=(), episodes=2)
    (job,) = jobs_of(case, CustomPolicy(name="stuck", source="stuck:Stuck"), 1)
    policy_maker.cache_clear()
    with pytest.raises(ValueError, match=r"making the policy took longer than 0\.6 s"):
        evaluate(replace(job, decision_limit_s=0.02), None)
