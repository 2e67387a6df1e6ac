"""The costs of starts that a client computes from its observation, and the kinds of decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.made_up import LONG, SHORT
from tests.problems.mobile_inference.street_slots import played, random_exogenous
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.mobility import StraightMobility
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.mobile_inference.actions import WAIT
from vec_envs.problems.mobile_inference.known_costs import INPUTS_OF_NODE as NODE
from vec_envs.problems.mobile_inference.known_costs import KINDS, NEVER_S
from vec_envs.problems.mobile_inference.policies import Predicted
from vec_envs.problems.mobile_inference.policies.estimates import start_times_s, who_decides

SMALL: dict[str, Any] = {"dnns": (SHORT, LONG), "num_client_vehicles": 3, "rsu_ghz": 60.0}


def slot_of(problem: MobileInference, seed: int) -> tuple[Any, Any]:
    """Returns a state in the midst of random play in which everybody stands, and its slot.

    Nobody has sent all data to a service vehicle.
    """
    rng = np.random.default_rng(seed)
    state, exogenous = played(problem, rng, (40,), 5), random_exogenous(problem, rng, (40,))
    still = {name: np.zeros_like(getattr(exogenous, name)) for name in ("client_speed_mps", "service_speed_mps")}
    exogenous = replace(exogenous, **still)
    at_vehicle = state.node >= problem.num_rsus
    return replace(state, send_mbit=np.where(at_vehicle & (state.send_mbit == 0.0), 1e-3, state.send_mbit)), exogenous


@pytest.mark.parametrize("sizes", [(3, 2), (1, 2), (3, 0), (1, 0)])
def test_the_times_are_those_of_the_least_estimate(sizes: tuple[int, int]) -> None:
    problem = MobileInference(num_rsus=sizes[0], num_service_vehicles=sizes[1], **SMALL)
    state, exogenous = slot_of(problem, seed=1)
    # A client does not observe who has ended local work, so all tasks at a vehicle are taken to send.
    at_vehicle = state.node >= problem.num_rsus
    state = replace(state, local_gcycles=np.where(at_vehicle, 0.0, state.local_gcycles))
    who = who_decides(state)
    assert len(who[0]) > 5
    unit, vehicle = exogenous.v2i_efficiency[who].max(axis=-1), exogenous.v2v_efficiency[who]
    expected = start_times_s(problem, state, exogenous, who, unit, vehicle)
    kinds = problem.action_costs().of(problem.observe(state, exogenous).transpose(1, 0, 2))
    assert len(kinds) == len(KINDS) == problem.action_costs().num_kinds
    found = sum(kinds[:-1])[who[1], who[0], 1:]
    reached = np.isfinite(expected)
    assert reached.any(axis=1).all()
    np.testing.assert_allclose(found[reached], expected[reached], rtol=2e-4, atol=1e-4)
    drift = kinds[-1][who[1], who[0], 1:]
    local = problem.starts.all_local(state.waiting_type[who]) - 1
    work = problem.starts.local_gcycles[state.waiting_type[who], problem.starts.num_layers[state.waiting_type[who]]]
    energy_j = problem.kappa_j_per_gcycle_ghz2 * exogenous.client_ghz[who] ** 2 * work
    rows = np.arange(len(local))
    np.testing.assert_allclose(drift[rows, local], energy_j * state.energy_queue_j[who] / 100.0, rtol=2e-4, atol=1e-5)


def test_starts_of_least_cost_are_mostly_those_of_the_prediction() -> None:
    """A client observes no distance across the road, so the two differ a little."""
    batch = EnvironmentBatch(MobileInference(num_client_vehicles=8, episode_slots=60), StraightMobility(), 4)
    batch.reset(range(4), range(4))
    problem: Any = batch.problem
    policy, costs, agree = Predicted(problem), problem.action_costs(), list[bool]()
    while not batch.ended.all():
        observation, view = batch.observe(), batch.view
        action = policy.act(observation, view)
        times_s = sum(costs.of(observation.transpose(1, 0, 2))[:-1]).transpose(1, 0, 2)
        legal = problem.action_mask(view.state, view.exogenous)
        found = np.where(legal, times_s, np.inf).argmin(axis=-1)
        agree += list((found == action)[problem.deciders(view.state, view.exogenous)])
        batch.step(action)
    assert len(agree) > 50
    assert np.mean(agree) > 0.8


def test_waiting_costs_a_slot_and_a_node_out_of_reach_much() -> None:
    problem = MobileInference(num_service_vehicles=2, **SMALL)
    state, exogenous = slot_of(problem, seed=2)
    exogenous = replace(exogenous, v2v_efficiency=np.zeros_like(exogenous.v2v_efficiency))
    observation = problem.observe(state, exogenous).transpose(1, 0, 2)
    total = sum(problem.action_costs().of(observation))
    assert np.isfinite(total).all()
    waits = state.waiting.T
    times = sum(problem.action_costs().of(observation)[:-1])[waits]
    np.testing.assert_allclose(times[:, WAIT], times[:, 1:].min(axis=-1) + problem.slot_s, rtol=1e-5)
    assert (total[~waits] == 0.0).all()
    send = problem.action_costs().of(observation)[KINDS.index("send_s")]
    to_vehicle = 1 + problem.num_rsus  # cut 0
    mbit = problem.starts.task_mbit[state.waiting_type.T[waits], 0]
    assert (send[waits][:, to_vehicle] >= mbit / (0.01 * problem.v2v_bandwidth_mhz) * 0.999).all()


def test_starts_that_repeat_another_one_are_the_most_expensive() -> None:
    """So an action scorer, which scores the cheapest starts, does not spend places on starts that are never legal."""
    problem = MobileInference(num_rsus=2, num_service_vehicles=1, **SMALL)
    state, exogenous = slot_of(problem, seed=3)
    who = who_decides(state)
    costs = sum(problem.action_costs().of(problem.observe(state, exogenous).transpose(1, 0, 2)))[who[1], who[0]]
    repeats = problem.starts.repeats[state.waiting_type[who]]
    legal = problem.action_mask(state, exogenous)[who][:, 1:]
    assert repeats.any()
    assert not (repeats & legal).any()
    assert (costs[:, 1:][repeats] >= NEVER_S).all()
    assert (costs[:, 1:][legal] < NEVER_S).all()


def test_decisions_are_of_the_kind_of_their_node() -> None:
    problem = MobileInference(num_service_vehicles=2, **SMALL)
    state, exogenous = slot_of(problem, seed=3)
    env, client = (of[0] for of in who_decides(state))
    access = int(exogenous.v2i_efficiency[env, client].argmax())
    other = (access + 1) % problem.num_rsus

    def start(cut: int, node: int) -> int:
        return 1 + cut * problem.num_nodes + node

    expected = {
        0: set[str](),
        int(problem.starts.all_local(state.waiting_type)[env, client]): {"all layers at the client"},
        start(0, access): {"at the unit heard best"},
        start(1, other): {"at another unit", "cut between layers"},
        start(0, 4): {"at a service vehicle"},
    }
    for chosen, names in expected.items():
        action = np.zeros(state.waiting.shape, int)
        action[env, client] = chosen
        kinds = problem.decision_kinds(state, action, exogenous)
        assert {name for name, of in kinds.items() if of[env, client]} == names
        assert sum(int(of.sum()) for of in kinds.values()) == len(names)


@pytest.mark.parametrize("num_service_vehicles", [2, 0])
def test_inputs_of_starts_are_features_of_their_nodes(num_service_vehicles: int) -> None:
    problem = MobileInference(num_rsus=3, num_service_vehicles=num_service_vehicles, **SMALL)
    state, exogenous = slot_of(problem, seed=2)
    observation = problem.observe(state, exogenous)
    costs, columns = problem.action_costs(), problem.features.columns
    inputs = np.stack(costs.inputs_of(observation.transpose(1, 0, 2)), axis=-1)
    assert inputs.shape == (3, 40, problem.actions.counts[0], costs.num_inputs)
    who = who_decides(state)
    local = problem.starts.all_local(state.waiting_type[who])[0]
    env, client = (rows[0] for rows in who)
    own, found = observation[env, client], inputs[client, env]
    nodes = {name: np.concatenate([own[columns[f"{node}_{name}"]] for node in ("unit", "service")]) for name in NODE}
    for action in range(1, local):
        node = (action - 1) % problem.num_nodes
        np.testing.assert_allclose(found[action, : len(NODE)], [nodes[name][node] for name in NODE], rtol=1e-6)
        assert (found[action, 5:8] != 0.0).any() == (found[action, 7] == 1.0) == (node >= problem.num_rsus)
        access = own[columns["unit_efficiency"]].argmax()
        of_access = [own[columns[f"unit_{name}"]][access] for name in ("efficiency", "ahead", "senders")]
        np.testing.assert_allclose(found[action, 8:11], of_access if node < problem.num_rsus else 0.0, rtol=1e-6)
    assert found[local, :11].tolist() == [0.0] * 11
    assert found[local, 11] > 0.0
    assert found[local, 12:].tolist() == [0.0] * 3
