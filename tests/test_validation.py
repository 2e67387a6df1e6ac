"""Checks of options: near misses, functions of one's own, and the wording of missing extras."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vec_envs
from benchmarks.engines import engine_of
from benchmarks.suites import SUITES, cases_of, suites_of
from trainers.registry import learner_named
from trainers.runs.options import preset_run
from vec_envs import (
    cooperative_inference_v0,
    dnn_partition_v0,
    mobile_inference_v0,
    task_diversion_v0,
)
from vec_envs.dnn import DNNProfile
from vec_envs.importing import import_source
from vec_envs.mobility import make_mobility
from vec_envs.registration import factory_of
from vec_envs.validation import check_takes, did_you_mean

ROOT = Path(vec_envs.__file__).parents[1]


def test_the_nearest_name_is_proposed_and_a_far_one_is_not() -> None:
    known = ("num_client_vehicles", "num_service_vehicles", "VGG16")
    assert did_you_mean("num_clients_vehicles", known) == "; did you mean num_client_vehicles?"
    assert did_you_mean("Num-Client-Vehicles", known) == "; did you mean num_client_vehicles?"
    assert did_you_mean("vgg-16", known) == "; did you mean VGG16?"
    assert did_you_mean("num_clients", ("num_envs", *known)) == "; did you mean num_client_vehicles?"
    assert did_you_mean("client_vehicles", ("client_ghz", *known)) == "; did you mean num_client_vehicles?"
    assert did_you_mean("num_serv", known) == "; did you mean num_service_vehicles?"
    for far in ("colour", "", 3, None, "x" * 10**6):
        assert did_you_mean(far, known) == ""


@pytest.mark.parametrize(
    ("use", "meant"),
    [
        (lambda: dnn_partition_v0.joint_env(num_clients_vehicles=3), "num_client_vehicles"),
        (lambda: task_diversion_v0.vector_env(num_env=3), "num_envs"),
        (lambda: mobile_inference_v0.parallel_env(render_mod=None), "render_mode"),
        (lambda: cooperative_inference_v0.env(moblity="still"), "mobility"),
        (lambda: make_mobility("reply"), "replay"),
        (lambda: make_mobility("sumo", scenario="fdr-driv"), "fdr-drive"),
        (lambda: make_mobility("replay", scenario="motor_way"), "motorway"),
        (lambda: DNNProfile.load("resnet-18"), "resnet18"),
        (lambda: dnn_partition_v0.joint_env(mobility="replay", reward="drift-bond"), "drift_bound"),
        (lambda: factory_of("VEC-DNNPartitions-v0"), "VEC-DNNPartition-v0"),
        (lambda: learner_named("qmix_difusion"), "qmix_diffusion"),
        (lambda: preset_run(learner_named("qmix"), "tund", "VEC-DNNPartition-v0"), "tuned"),
        (lambda: suites_of("mian", SUITES), "main"),
        (lambda: suites_of("quick", SUITES, ("best-respons-drift",)), "best-response-drift"),
        (lambda: cases_of("main", env_id="VEC-DNNPartition-v1"), "VEC-DNNPartition-v0"),
        (lambda: cases_of("main", name="tight deadline"), "tight deadlines"),
        (lambda: import_source("trainers.qmix:LERNER", "the learner"), "LEARNER"),
        (lambda: engine_of("rya", None, None), "ray"),
        (lambda: factory_of("VEC-TaskDiversion-v0").references.named("gbs-deadlines"), "gbs-deadline"),
        (lambda: make_mobility("sumo", scenario="fdr"), "fdr-drive"),
        (lambda: task_diversion_v0.vector_env(mobility="straight", autoreset_mode="disable"), "DISABLED"),
        (lambda: task_diversion_v0.joint_env(mobility="straight", render_mode="rgb_aray"), "rgb_array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_near_miss_is_answered_with_the_name_that_was_meant(use: Callable[[], Any], meant: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"did you mean {meant}\?"):
        use()


def _of_two(distance_m: Any, fading: Any) -> float:
    return 1.0


def _of_keywords(**options: Any) -> float:
    return 1.0


WRONG = (lambda: 1.0, _of_two, _of_keywords)
FUNCTIONS = (
    (dnn_partition_v0, "v2i_rate"),
    (dnn_partition_v0, "v2v_rate"),
    (task_diversion_v0, "v2i_rate"),
    (mobile_inference_v0, "efficiency"),
)


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
@pytest.mark.parametrize("function", WRONG)
def test_a_function_that_cannot_be_called_is_refused_when_it_is_given(module: Any, name: str, function: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a function \(distance_m, .*\*, .*bandwidth_mhz.*\), got "):
        module.joint_env(mobility="replay", **{name: function})


@pytest.mark.parametrize("module", [dnn_partition_v0, cooperative_inference_v0, mobile_inference_v0])
def test_an_objective_must_take_terms(module: Any) -> None:
    with pytest.raises(ValueError, match=r"reward must be a function \(terms\), got one with \(distance_m"):
        module.joint_env(reward=_of_two)


def test_a_function_with_an_unknown_signature_is_sound() -> None:
    check_takes("a", "b", "c", d=dict)


def test_missing_extras_are_said_in_one_wording() -> None:
    sources = [
        path
        for folder in ("vec_envs", "trainers", "benchmarks", "sumo_scenarios")
        for path in (ROOT / folder).rglob("*.py")
    ]
    said = {
        path.relative_to(ROOT).as_posix(): wording
        for path in sources
        for wording in re.findall(r".*pip install .*", path.read_text(encoding="utf-8"))
        if re.search(r"vec-envs\[|-e \"?'?\.\[", wording) and not wording.startswith('"""')
    }
    own = {"vec_envs/validation.py", "vec_envs/installation.py", "vec_envs/mobility/sumo_worker/simulators.py"}
    assert set(said) - {"benchmarks/speed/convex_reference.py"} == own, said
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
    for path in sources:
        for extra in re.findall(r'missing_extra\([^)]*"(\w+)"\)', path.read_text(encoding="utf-8")):
            assert extra in extras, f"{path}: {extra}"
