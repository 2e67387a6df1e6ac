"""Slots of `MobileInference` to play: those of an independent scalar program, and random ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, profile
from tests.problems.test_golden import cases_of
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.problems.mobile_inference import Exogenous, MobileInference, Outcome, State

GOLDEN: Any = cases_of("mobile_inference.json")
ONE_LAYER = profile("one", (6.0,), (5.0, 0.1))
common = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])


def tabled(name: str, table: dict[str, list[float]]) -> DNNProfile:
    """Returns the DNN with this work and data by cut."""
    work = np.diff(table["local_gflops"])
    sizes = [*table["cut_mbit"][1:-1], 0.1]
    layers = tuple(
        Layer(name=f"layer{n}", gflops=float(gflops), gmacs=0.0, output_mbit=mbit, parameter_mbyte=0.0)
        for n, (gflops, mbit) in enumerate(zip(work, sizes, strict=True))
    )
    return DNNProfile(name=name, input_mbit=table["cut_mbit"][0], layers=layers)


def problem_of(case: dict[str, Any], **options: Any) -> MobileInference:
    """Returns the problem of a golden case."""
    exogenous = case["exogenous"]
    return MobileInference(
        dnns=tuple(tabled(f"dnn{k}", table) for k, table in enumerate(case["dnns"])),
        num_rsus=case["num_rsus"],
        num_client_vehicles=len(case["action"]),
        num_service_vehicles=len(exogenous["service_ghz"]),
        **case["options"],
        **options,
    )


def inputs_of(case: dict[str, Any], problem: MobileInference) -> tuple[State, np.ndarray, Exogenous]:
    """Returns the state, the action and the exogenous record of a golden case."""
    state = State(**{name: np.array(value) for name, value in case["state"].items()})
    values = {name: np.array(value) for name, value in case["exogenous"].items()}
    if not problem.num_service_vehicles:
        values["v2v_efficiency"] = np.zeros((problem.num_client_vehicles, 0))
        values |= {name: np.zeros(0, np.bool_) for name in ("service_present", "service_leaves")}
    return state, np.array(case["action"]), Exogenous(**values)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A problem, and a batch of slots of it to play."""

    problem: MobileInference
    state: State
    action: np.ndarray
    exogenous: Exogenous

    def play(self) -> tuple[State, Outcome]:
        """Returns the next state and the outcome."""
        return self.problem.transition(self.state, self.action, self.exogenous)


def random_exogenous(
    problem: MobileInference, rng: np.random.Generator, batch: tuple[int, ...], *, leaving: float = 0.2
) -> Exogenous:
    """Returns random slots: a third of the links are out of reach, and some vehicles leave."""
    clients, units, services = problem.num_client_vehicles, problem.num_rsus, problem.num_service_vehicles

    def links(nodes: int) -> np.ndarray:
        shape = (*batch, clients, nodes)
        return rng.uniform(0.1, 4.4, shape).round(1) * (rng.random(shape) > 0.35)

    present = rng.random((*batch, services)) > 0.2
    return Exogenous(
        v2i_efficiency=links(units),
        v2v_efficiency=links(services) * present[..., None, :],
        client_ghz=rng.uniform(6.0, 12.0, (*batch, clients)),
        service_ghz=rng.uniform(20.0, 40.0, (*batch, services)),
        arrives=rng.random((*batch, clients)) < 0.4,
        arriving_type=rng.integers(0, len(problem.dnns), (*batch, clients)),
        client_leaves=rng.random((*batch, clients)) < leaving,
        service_present=present,
        service_leaves=present & (rng.random((*batch, services)) < leaving),
        client_position_m=rng.uniform(-900.0, 900.0, (*batch, clients)),
        client_speed_mps=rng.uniform(-15.0, 15.0, (*batch, clients)),
    )


def random_action(problem: MobileInference, rng: np.random.Generator, batch: tuple[int, ...]) -> np.ndarray:
    """Returns random actions, a third of them 0."""
    shape = (*batch, problem.num_client_vehicles)
    return rng.integers(0, problem.actions.counts[0], shape) * (rng.random(shape) > 0.3)


def played(problem: MobileInference, rng: np.random.Generator, batch: tuple[int, ...], slots: int) -> State:
    """Returns the state after some slots of random actions."""
    state = problem.initial_state(batch)
    for _ in range(slots):
        exogenous = random_exogenous(problem, rng, batch, leaving=0.05)
        state = problem.transition(state, random_action(problem, rng, batch), exogenous)[0]
    return state


@st.composite
def slots(draw: st.DrawFn, batch: tuple[int, ...] = (6,)) -> Slot:
    """Draws a problem of a few clients and nodes, and slots of it in the midst of random play."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    problem = MobileInference(
        dnns=draw(st.sampled_from([(SHORT,), (SHORT, LONG), (LONG, ONE_LAYER, SHORT)])),
        num_rsus=draw(st.integers(1, 3)),
        num_client_vehicles=draw(st.integers(1, 5)),
        num_service_vehicles=draw(st.integers(0, 3)),
        slot_s=draw(st.sampled_from([0.1, 0.5, 1.0])),
        deadline_s=draw(st.sampled_from([2.0, 10.0])),
        frames_per_task=draw(st.sampled_from([1, 8])),
        rsu_ghz=draw(st.sampled_from([20.0, 300.0])),
    )
    return Slot(
        problem=problem,
        state=played(problem, rng, batch, draw(st.integers(0, 6))),
        action=random_action(problem, rng, batch),
        exogenous=random_exogenous(problem, rng, batch),
    )


def row(record: Any, *index: int) -> Any:
    """Returns one environment of a record."""
    return type(record)(**{f.name: np.asarray(getattr(record, f.name))[*index, ...] for f in fields(record)})
