"""What is seen and chosen in a slot, which options there are, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, assert_same
from tests.problems.dnn_partition.partition_slots import (
    BATCH_SIZE,
    EXOGENOUS,
    EYES,
    SLOTS,
    STATE,
    Slot,
    common,
    plain_exogenous,
)
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.problems.base import action_exists
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.records import map_arrays

# Observation ----------------------------------------------------------------------------------------------------------

PAPER = [
    [7.5, 0.75, 3.75, 11.25, -1.0, 0.2, -0.1],
    [15.0, 1.5, 3.75, 11.25, 0.0, 0.2, -0.1],
    [22.5, 0.75, 3.75, 11.25, 0.5, 0.2, -0.1],
]
EXTENDED = [
    [1.0, 0.1, 0.2, 0.4, 0.7, 0.8, 0.5, 0.2, 0.3],
    [2.0, 0.3, 0.4, 0.5, 0.7, 0.8, 1.0, 0.2, 0.3],
    [0.5, 0.5, 0.6, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3],
]


def test_the_papers_observation_has_2j_plus_1_features_in_their_places() -> None:
    observation = EYES.observe(STATE, EXOGENOUS)
    assert EYES.observation_size == 2 * EYES.num_nodes + 1
    assert observation.dtype == np.float32
    np.testing.assert_allclose(observation, PAPER, rtol=1e-6)


def test_the_extended_observation_adds_rates_processors_and_speeds() -> None:
    problem = replace(EYES, observation="extended")
    assert problem.observation_size == 5 * problem.num_nodes + 1
    np.testing.assert_allclose(problem.observe(STATE, EXOGENOUS), np.concatenate([PAPER, EXTENDED], axis=1), rtol=1e-6)


@common
@given(SLOTS, st.sampled_from(["paper", "extended"]))
def test_observations_of_a_batch_equal_row_by_row_observations(slot: Slot, observation: str) -> None:
    problem = replace(slot.problem, observation=observation)
    together = problem.observe(slot.state, slot.exogenous)
    assert together.shape == (BATCH_SIZE, problem.num_client_vehicles, problem.observation_size)
    for row in range(BATCH_SIZE):
        state, exogenous = (map_arrays(lambda a, n=row: a[n], r) for r in (slot.state, slot.exogenous))
        assert np.array_equal(problem.observe(state, exogenous), together[row])


# Actions --------------------------------------------------------------------------------------------------------------


def test_round_robin_types_and_action_counts() -> None:
    problem = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2)
    assert problem.dnn_of_client == (0, 1, 0)
    assert problem.action_counts == (9, 12, 9)
    assert problem.agent_names == ("client_0", "client_1", "client_2")
    assert action_exists(problem).sum(axis=1).tolist() == [9, 12, 9]
    assert action_exists(problem)[0].tolist() == [True] * 9 + [False] * 3


@common
@given(SLOTS)
def test_action_features_describe_node_cut_work_and_data(slot: Slot) -> None:
    problem = slot.problem
    features, mask, table = problem.action_features(), action_exists(problem), problem.choices.table
    nodes = problem.num_nodes
    to_node, edge, sent, local, at_cut = np.split(features, np.cumsum([nodes, nodes, nodes, 1]), axis=-1)
    assert features.min() >= 0.0
    assert features.max() <= 1.0
    assert (features[~mask] == 0.0).all()
    for client, count in enumerate(problem.action_counts):
        cut, node = np.divmod(np.arange(count), nodes)
        assert (to_node[client, :count].argmax(-1) == node).all()
        assert (at_cut[client, :count].argmax(-1) == cut).all()
        parts = (
            (edge.sum(-1), table.edge_gcycles),
            (sent.sum(-1), table.sent_mbit),
            (local[..., 0], table.local_gcycles),
        )
        for part, whole in parts:
            np.testing.assert_allclose(part[client, :count] * whole[client].max(), whole[client, :count])
        assert not (edge[client, :count] * (1.0 - to_node[client, :count])).any()


@common
@given(SLOTS)
def test_common_features_are_equal_for_equal_actions_of_all_clients(slot: Slot) -> None:
    problem = slot.problem
    features, mask, table = problem.common_action_features(), action_exists(problem), problem.choices.table
    node = np.broadcast_to(np.arange(features.shape[1]) % problem.num_nodes, mask.shape)
    described = node * table.offloads, table.edge_gcycles, table.sent_mbit, table.local_gcycles
    actions = np.stack(described, axis=-1)[mask]
    _, of_action = np.unique(actions, axis=0, return_inverse=True)
    _, of_features = np.unique(features[mask], axis=0, return_inverse=True)
    pairs = np.unique(np.stack([of_action.ravel(), of_features.ravel()], axis=1), axis=0)
    assert len(pairs) == len(np.unique(of_action)) == len(np.unique(of_features))
    assert (features[~mask] == 0.0).all()


def test_defaults_are_the_papers() -> None:
    problem = DNNPartition()
    assert [p.name for p in problem.profiles] == ["alexnet", "resnet18", "vgg16"]
    assert (problem.num_client_vehicles, problem.num_service_vehicles, problem.num_nodes) == (7, 5, 6)
    assert (problem.lyapunov_v, problem.slot_s, problem.episode_slots, problem.rsu_ghz) == (10.0, 1.0, 30, 30.0)
    assert (problem.reward, problem.allocation, problem.observation) == ("drift_bound", "exact", "paper")
    assert problem.action_counts == tuple((n + 1) * 6 for n in (11, 12, 21, 11, 12, 21, 11))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        pytest.param([9, 0, 0], r"action 9 of client_0 is outside \[0, 8\]", id="too large for its own DNN"),
        pytest.param([0, 12, 0], r"action 12 of client_1 is outside \[0, 11\]", id="too large"),
        pytest.param([0, 0, -1], r"action -1 of client_2 is outside \[0, 8\]", id="negative"),
        pytest.param([[0, 0, 0], [0, 0, 99]], "action 99 of client_2", id="in a later row"),
        pytest.param([0, 0], r"3 clients .* got shape \(2,\)", id="too few"),
        pytest.param([0, 0, 0, 0], r"3 clients .* got shape \(4,\)", id="too many"),
        pytest.param([[0], [0], [0]], r"3 clients .* got shape \(3, 1\)", id="wrong axis"),
        pytest.param([0.0, 1.0, 2.0], "integers, got dtype float64", id="floats"),
        pytest.param([True, False, True], "integers, got dtype bool", id="booleans"),
    ],
)
def test_wrong_action_is_refused(action: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EYES.transition(STATE, np.array(action), EXOGENOUS)


def test_the_last_action_of_every_client_is_accepted_in_any_integer_type() -> None:
    last = np.array(EYES.action_counts) - 1
    expected = EYES.transition(STATE, last, EXOGENOUS)[1]
    for kind in (np.int8, np.uint8, np.int32, np.uint64):
        assert_same(EYES.transition(STATE, last.astype(kind), EXOGENOUS)[1], expected)


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": "profit"}, "reward must be .*'drift_bound', 'drift', 'delay'.*, got 'profit'"),
        ({"reward": None}, "reward must be .*'drift_bound', 'drift', 'delay'.*, got None"),
        ({"allocation": "fair"}, "allocation must be .*'exact', 'capped', 'eq46'.*, got 'fair'"),
        ({"observation": "all"}, "observation must be .*'paper', 'extended'.*, got 'all'"),
        ({"lyapunov_v": 0.0}, "lyapunov_v must be .*above 0.*, got 0.0"),
        ({"lyapunov_v": -1.0}, "lyapunov_v must be .*above 0.*, got -1.0"),
        ({"lyapunov_v": math.nan}, "lyapunov_v must be .*finite.*, got nan"),
        ({"lyapunov_v": "10"}, "lyapunov_v must be .*number.*, got '10'"),
        ({"slot_s": 0.0}, "slot_s must be .*above 0.*, got 0.0"),
        ({"rsu_ghz": -30.0}, "rsu_ghz must be .*above 0.*, got -30.0"),
        ({"bandwidth_mhz": math.inf}, "bandwidth_mhz must be .*finite.*, got inf"),
        ({"transmit_power_dbm": math.nan}, "transmit_power_dbm must be .*finite.*, got nan"),
        ({"noise_dbm": -math.inf}, "noise_dbm must be .*finite.*, got -inf"),
        ({"client_ghz": (6.0, 4.0)}, r"client_ghz must be .*0 < low <= high.*, got \(6.0, 4.0\)"),
        ({"client_ghz": 5.0}, "client_ghz must be .*range.*, got 5.0"),
        ({"service_ghz": (0.0, 8.0)}, r"service_ghz must be .*0 < low.*, got \(0.0, 8.0\)"),
        ({"service_ghz": (6.0, 7.0, 8.0)}, "service_ghz must be a range"),
        ({"service_ghz": (6.0, math.inf)}, "service_ghz must be a range"),
        ({"num_client_vehicles": 0}, "num_client_vehicles must be .*at least 1.*, got 0"),
        ({"num_client_vehicles": 2.5}, "num_client_vehicles must be .*integer.*, got 2.5"),
        ({"num_service_vehicles": -1}, "num_service_vehicles must be .*at least 0.*, got -1"),
        ({"episode_slots": 0}, "episode_slots must be .*at least 1.*, got 0"),
        ({"dnn_of_client": (0, 1)}, "one entry for each client, got 2 entries"),
        ({"dnn_of_client": (0, 1, 2, 3, 0, 0, 0)}, "dnn_of_client=.* from 0 to 2"),
        ({"dnn_of_client": (0, -1, 2, 0, 0, 0, 0)}, "dnn_of_client=.* from 0 to 2"),
        ({"dnn_of_client": (0.5,) * 7}, "dnn_of_client=.* integers"),
        ({"dnn_of_client": 0}, "dnn_of_client=0 .* integers"),
        ({"dnns": ()}, "dnns is empty"),
        ({"dnns": ("vgg16", "alexnet", "vgg16")}, r"dnns has 'vgg16' twice; give one .*: replace\(profile, name="),
        ({"dnns": "alexnet"}, "dnns must be a list .*, got 'alexnet'"),
        ({"dnns": ("alexnet", "lenet")}, "must be one of 'alexnet', .*, got 'lenet'"),
        ({"workload": "guess"}, "workload must be one of 'mad2rl', 'mad2rl-literal', 'rtd', got 'guess'"),
        ({"v2i_rate": 3.0}, "v2i_rate must be a function, got 3.0"),
    ],
    ids=str,
)
def test_wrong_option_is_refused_with_its_value_and_bound(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DNNPartition(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"num_service_vehicles": 0},
        {"dnns": [SHORT, "vgg16"], "dnn_of_client": [0, 1, 0, 1, 0, 1, 0]},
        {"dnn_of_client": np.zeros(7, dtype=int)},
        {"client_ghz": [5, 5]},
        {"lyapunov_v": np.float32(3.0), "rsu_ghz": 20},
        {"num_client_vehicles": np.int64(4)},
    ],
    ids=str,
)
def test_unusual_but_valid_options_are_accepted(options: dict[str, Any]) -> None:
    problem = DNNPartition(**options)
    exogenous = plain_exogenous(problem)
    last = np.array(problem.action_counts) - 1
    outcome = problem.transition(problem.initial_state(), last, exogenous)[1]
    assert np.isfinite(outcome.reward)


def test_problem_is_frozen_and_compared_by_value() -> None:
    assert DNNPartition(dnns=(SHORT,)) == DNNPartition(dnns=(SHORT,))
    assert hash(DNNPartition(dnns=(SHORT,))) == hash(DNNPartition(dnns=(SHORT,)))
    with pytest.raises(AttributeError):
        EYES.rsu_ghz = 1.0  # type: ignore[misc]


def test_features_of_deep_networks_stay_few_and_neighbouring_cuts_look_alike() -> None:
    layers = [Layer(name="l", gflops=1.0, gmacs=0.0, output_mbit=0.5, parameter_mbyte=0.0)] * 500
    deep = DNNProfile(name="deep", input_mbit=0.5, layers=tuple(layers))
    problem = DNNPartition(dnns=(deep, "alexnet"), num_client_vehicles=2, num_service_vehicles=1)
    features = problem.action_features()
    nodes = problem.num_nodes
    assert features.shape == (2, 501 * nodes, 3 * nodes + 1 + 64)
    at_cut = features[0, ::nodes, -64:]
    np.testing.assert_allclose(at_cut.sum(axis=-1), 1.0)
    np.testing.assert_allclose(at_cut @ np.arange(64), np.linspace(0.0, 63.0, 501), atol=1e-12)
    assert len(np.unique(features[0], axis=0)) == 501 * nodes
    assert (features[1, 12 * nodes :] == 0.0).all()
