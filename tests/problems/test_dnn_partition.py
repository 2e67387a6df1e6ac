"""What must hold of a slot whatever is decided, and what is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vec_envs.dnn import DNNProfile, Layer
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.physics.allocation import allocate_rsu
from vec_envs.physics.channel import v2i_rate_mbps, v2v_rate_mbps
from vec_envs.problems.dnn_partition import DNNPartition, Exogenous, Outcome, State
from vec_envs.records import map_arrays

LANES = 6


def profile(name: str, gflops: tuple[float, ...], mbit: tuple[float, ...]) -> DNNProfile:
    layers = tuple(
        Layer(name=f"layer{n}", gflops=work, gmacs=work / 2, output_mbit=size, parameter_mbyte=0.0)
        for n, (work, size) in enumerate(zip(gflops, mbit[1:], strict=True), start=1)
    )
    return DNNProfile(name=name, input_mbit=mbit[0], layers=layers)


SHORT = profile("short", (1.0, 3.0), (4.0, 2.0, 0.5))
LONG = profile("long", (2.0, 0.0, 5.0), (8.0, 6.0, 3.0, 0.1))


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A random slot of a random problem, in LANES lanes."""

    problem: DNNPartition
    state: State
    action: np.ndarray
    exogenous: Exogenous

    def play(self, **options: Any) -> tuple[State, Outcome]:
        return replace(self.problem, **options).transition(self.state, self.action, self.exogenous)


def random_profile(rng: np.random.Generator, name: str) -> DNNProfile:
    num_layers = int(rng.integers(1, 6))
    gflops = rng.uniform(0.1, 5.0, num_layers) * (rng.random(num_layers) > 0.2)
    return profile(name, tuple(gflops), tuple(rng.uniform(0.01, 30.0, num_layers + 1)))


def random_problem(rng: np.random.Generator) -> DNNPartition:
    clients, types = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    return DNNPartition(
        dnns=tuple(random_profile(rng, f"dnn{k}") for k in range(types)),
        dnn_of_client=tuple(int(k) for k in rng.integers(0, types, clients)),
        num_client_vehicles=clients,
        num_service_vehicles=int(rng.integers(0, 4)),
        lyapunov_v=float(10.0 ** rng.uniform(-1, 2)),
        slot_s=float(rng.uniform(0.2, 3.0)),
        rsu_ghz=float(rng.uniform(5.0, 50.0)),
        allocation=str(rng.choice(["exact", "capped", "eq46"])),
    )


def random_slot(seed: int) -> Slot:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles

    def backlog(queues: int) -> np.ndarray:
        return rng.exponential(20.0, (LANES, queues)) * (rng.random((LANES, queues)) > 0.5)

    return Slot(
        problem=problem,
        state=State(
            client_backlog_gcycles=backlog(clients),
            rsu_backlog_gcycles=backlog(len(problem.dnns)),
            service_backlog_gcycles=backlog(services),
        ),
        action=rng.integers(0, problem.action_counts, (LANES, clients)),
        exogenous=Exogenous(
            client_position_m=rng.uniform(-700.0, 700.0, (LANES, clients)),
            service_position_m=rng.uniform(-700.0, 700.0, (LANES, services)),
            v2i_mbps=rng.uniform(1.0, 200.0, (LANES, clients)),
            v2v_mbps=rng.uniform(1.0, 200.0, (LANES, clients, services)),
            client_ghz=rng.uniform(4.0, 6.0, (LANES, clients)),
            service_ghz=rng.uniform(6.0, 8.0, (LANES, services)),
        ),
    )


SLOTS = st.integers(0, 2**32 - 1).map(random_slot)
common = settings(max_examples=30)


def in_a_row(state: State) -> np.ndarray:
    return np.concatenate([getattr(state, f.name) for f in fields(state)], axis=-1)


def arrivals_of(slot: Slot) -> np.ndarray:
    """Returns what reaches each queue: what it has more after a slot too short to serve anything."""
    following, _ = slot.play(slot_s=1e-15)
    return in_a_row(following) - in_a_row(slot.state)


def service_of(slot: Slot, outcome: Outcome) -> np.ndarray:
    speed = [slot.exogenous.client_ghz, outcome.rsu_allocation_ghz, slot.exogenous.service_ghz]
    return np.concatenate(speed, axis=-1) * slot.problem.slot_s


def cut_and_node(slot: Slot) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(slot.action, slot.problem.num_nodes)


def with_cut(slot: Slot, cut: np.ndarray) -> Slot:
    """Returns the slot with another cut, a number a client, and the same nodes."""
    return replace(slot, action=cut * slot.problem.num_nodes + cut_and_node(slot)[1])


def assert_same(one: Any, other: Any) -> None:
    for f in fields(one):
        assert np.array_equal(getattr(one, f.name), getattr(other, f.name)), f.name


# Work -----------------------------------------------------------------------------------------------------------------


@common
@given(SLOTS)
def test_all_the_work_of_all_tasks_arrives_and_no_other(slot: Slot) -> None:
    work = sum(slot.problem.profiles[k].local_gflops[-1] for k in slot.problem.client_types)
    np.testing.assert_allclose(arrivals_of(slot).sum(axis=-1), work, rtol=1e-9, atol=1e-9)


@common
@given(SLOTS)
def test_work_arrives_where_the_decision_sends_it(slot: Slot) -> None:
    arrivals, (cut, node) = arrivals_of(slot), cut_and_node(slot)
    clients, types = slot.problem.num_client_vehicles, len(slot.problem.dnns)
    for lane in range(LANES):
        expected = np.zeros(arrivals.shape[-1])
        for i, k in enumerate(slot.problem.client_types):
            dnn, server = slot.problem.profiles[k], k if node[lane, i] == 0 else types + node[lane, i] - 1
            expected[i] += dnn.local_gflops[cut[lane, i]]
            expected[clients + server] += dnn.edge_gflops[cut[lane, i]]
        np.testing.assert_allclose(arrivals[lane], expected, rtol=1e-9, atol=1e-9)


@common
@given(SLOTS)
def test_queues_keep_exactly_what_is_not_served(slot: Slot) -> None:
    following, outcome = slot.play()
    expected = in_a_row(slot.state) + arrivals_of(slot) - service_of(slot, outcome)
    np.testing.assert_allclose(in_a_row(following), np.maximum(expected, 0.0), rtol=1e-9, atol=1e-9)


# Delays ---------------------------------------------------------------------------------------------------------------


@common
@given(SLOTS)
def test_delays_are_finite_not_negative_and_the_sum_of_their_parts(slot: Slot) -> None:
    _, outcome = slot.play()
    parts = [outcome.local_s, outcome.transmit_s, outcome.process_s, outcome.wait_s]
    assert all((part >= 0.0).all() and np.isfinite(part).all() for part in parts)
    np.testing.assert_allclose(outcome.delay_s, sum(parts), rtol=1e-12)


@common
@given(SLOTS)
def test_a_client_that_runs_no_layer_has_no_local_delay_even_with_a_backlog(slot: Slot) -> None:
    state = replace(slot.state, client_backlog_gcycles=slot.state.client_backlog_gcycles + 50.0)
    following, outcome = replace(with_cut(slot, np.zeros_like(slot.action)), state=state).play()
    assert (outcome.local_s == 0.0).all()
    served = np.minimum(state.client_backlog_gcycles, slot.exogenous.client_ghz * slot.problem.slot_s)
    np.testing.assert_allclose(following.client_backlog_gcycles, state.client_backlog_gcycles - served)


@common
@given(SLOTS)
def test_a_client_that_runs_all_layers_does_not_feel_the_node(slot: Slot) -> None:
    all_local = with_cut(slot, np.broadcast_to(slot.problem.num_layers, slot.action.shape))
    following, outcome = all_local.play()
    assert (outcome.transmit_s == 0.0).all()
    assert (outcome.process_s == 0.0).all()
    assert (outcome.wait_s == 0.0).all()
    nowhere_else = np.broadcast_to(slot.problem.num_layers * slot.problem.num_nodes, slot.action.shape)
    other, other_outcome = replace(slot, action=nowhere_else).play()
    assert_same(following, other)
    assert_same(outcome, other_outcome)


@common
@given(SLOTS, st.floats(1.0, 4.0))
def test_a_larger_rsu_never_delays_the_tasks_where_nothing_waits(slot: Slot, factor: float) -> None:
    empty = replace(slot, state=slot.problem.initial_state((LANES,)))
    before = empty.play(allocation="exact")[1].delay_s.sum(axis=-1)
    after = empty.play(allocation="exact", rsu_ghz=slot.problem.rsu_ghz * factor)[1].delay_s.sum(axis=-1)
    assert (after <= before * (1.0 + 1e-9)).all()


@common
@given(SLOTS, st.floats(1.0, 100.0))
def test_a_higher_rate_never_delays_a_task_and_moves_no_queue(slot: Slot, factor: float) -> None:
    faster = replace(
        slot.exogenous, v2i_mbps=slot.exogenous.v2i_mbps * factor, v2v_mbps=slot.exogenous.v2v_mbps * factor
    )
    (before, slow), (after, fast) = slot.play(), replace(slot, exogenous=faster).play()
    assert (fast.delay_s <= slow.delay_s).all()
    np.testing.assert_allclose(fast.transmit_s * factor, slow.transmit_s, rtol=1e-9)
    assert_same(before, after)


def test_every_link_has_its_own_rate() -> None:
    problem = DNNPartition(dnns=(SHORT,), num_client_vehicles=2, num_service_vehicles=2)
    exogenous = plain_exogenous(problem, v2i_mbps=np.array([1.0, 2.0]), v2v_mbps=np.array([[3.0, 4.0], [5.0, 6.0]]))
    for node, rates in enumerate(([1.0, 2.0], [3.0, 5.0], [4.0, 6.0])):
        outcome = problem.transition(problem.initial_state(), np.array([node, node]), exogenous)[1]
        np.testing.assert_allclose(outcome.transmit_s, 4.0 / np.array(rates))


def test_waiting_counts_the_same_type_at_the_rsu_and_everybody_at_a_service_vehicle() -> None:
    problem = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=1)
    at_rsu = problem.transition(problem.initial_state(), np.zeros(3, dtype=int), plain_exogenous(problem))[1]
    speed = at_rsu.rsu_allocation_ghz
    np.testing.assert_allclose(at_rsu.wait_s, [4.0 / (2 * speed[0]), 0.0, 4.0 / (2 * speed[0])])
    at_vehicle = problem.transition(problem.initial_state(), np.ones(3, dtype=int), plain_exogenous(problem))[1]
    np.testing.assert_allclose(at_vehicle.wait_s, [11.0 / 14.0, 8.0 / 14.0, 11.0 / 14.0])


def plain_exogenous(problem: DNNPartition, **other: np.ndarray) -> Exogenous:
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles
    values: dict[str, np.ndarray] = {
        "client_position_m": np.zeros(clients),
        "service_position_m": np.zeros(services),
        "v2i_mbps": np.full(clients, 100.0),
        "v2v_mbps": np.full((clients, services), 100.0),
        "client_ghz": np.full(clients, 5.0),
        "service_ghz": np.full(services, 7.0),
    }
    return Exogenous(**(values | other))


# Drift and reward -----------------------------------------------------------------------------------------------------


@common
@given(SLOTS)
def test_drift_is_the_change_of_half_the_squared_backlogs(slot: Slot) -> None:
    following, outcome = slot.play()
    squares = [0.5 * (in_a_row(s) ** 2).sum(axis=-1) for s in (slot.state, following)]
    np.testing.assert_allclose(outcome.drift, squares[1] - squares[0], rtol=1e-9, atol=1e-6)


@common
@given(SLOTS)
def test_drift_obeys_lemma_1_slot_by_slot(slot: Slot) -> None:
    _, outcome = slot.play()
    arrivals, service = arrivals_of(slot), service_of(slot, outcome)
    backlog = in_a_row(slot.state)
    np.testing.assert_allclose(outcome.drift_bound, (backlog * (arrivals - service)).sum(axis=-1), rtol=1e-9, atol=1e-6)
    quadratic = 0.5 * ((arrivals - service) ** 2).sum(axis=-1)
    chi = 0.5 * (arrivals**2 + service**2).sum(axis=-1)
    assert (outcome.drift <= outcome.drift_bound + quadratic + 1e-6).all()
    assert (outcome.drift <= outcome.drift_bound + chi + 1e-6).all()


@common
@given(SLOTS)
def test_rewards_are_minus_drift_or_bound_minus_v_times_delays(slot: Slot) -> None:
    bound, drift, delay = (slot.play(reward=name)[1] for name in ("drift_bound", "drift", "delay"))
    total_s, weight = delay.delay_s.sum(axis=-1), slot.problem.lyapunov_v
    np.testing.assert_allclose(bound.reward, -bound.drift_bound - weight * total_s, rtol=1e-9)
    np.testing.assert_allclose(drift.reward, -drift.drift - weight * total_s, rtol=1e-9)
    np.testing.assert_allclose(delay.reward, -total_s, rtol=1e-12)
    for outcome in (bound, drift, delay):
        np.testing.assert_array_equal(outcome.reward, outcome.drift_term + outcome.delay_term)


@common
@given(SLOTS)
def test_figures_are_sums_over_clients_and_queues(slot: Slot) -> None:
    following, outcome = slot.play()
    figures = slot.problem.figures(following, outcome)
    np.testing.assert_allclose(figures["completion_time_s"], outcome.delay_s.sum(axis=-1))
    np.testing.assert_allclose(figures["backlog_gcycles"], in_a_row(following).sum(axis=-1))
    assert figures["drift"] is outcome.drift
    assert figures["drift_bound"] is outcome.drift_bound
    assert (figures["reward_terms"]["drift"] + figures["reward_terms"]["delay"] == outcome.reward).all()


# Purity and lanes -----------------------------------------------------------------------------------------------------


@common
@given(SLOTS)
def test_inputs_are_not_written_to_and_the_same_give_the_same(slot: Slot) -> None:
    before = [array.copy() for array in (*vars(slot.state).values(), slot.action, *vars(slot.exogenous).values())]
    given_arrays = (*vars(slot.state).values(), slot.action, *vars(slot.exogenous).values())
    for array in given_arrays:
        array.setflags(write=False)
    (following, outcome), (again, outcome_again) = slot.play(), slot.play()
    assert all(np.array_equal(a, b) for a, b in zip(before, given_arrays, strict=True))
    assert_same(following, again)
    assert_same(outcome, outcome_again)
    assert not any(np.shares_memory(a, b) for a in vars(following).values() for b in given_arrays)


@common
@given(SLOTS)
def test_lanes_together_are_one_at_a_time_bit_for_bit(slot: Slot) -> None:
    following, outcome = slot.play()
    for lane in range(LANES):
        state, exogenous = (map_arrays(lambda a, n=lane: a[n], r) for r in (slot.state, slot.exogenous))
        alone, alone_outcome = slot.problem.transition(state, slot.action[lane], exogenous)
        assert_same(map_arrays(lambda a, n=lane: a[n], following), alone)
        assert_same(map_arrays(lambda a, n=lane: a[n], outcome), alone_outcome)


@settings(max_examples=10)
@given(SLOTS)
def test_one_state_under_many_actions_is_the_state_repeated(slot: Slot) -> None:
    rng = np.random.default_rng(0)
    tried = rng.integers(0, slot.problem.action_counts, (LANES, 2, 3, slot.problem.num_client_vehicles))
    state, exogenous = (map_arrays(lambda a: a[:, None, None], r) for r in (slot.state, slot.exogenous))
    following, outcome = slot.problem.transition(state, tried, exogenous)

    def repeated(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(array, (LANES, 2, 3, *array.shape[3:])))

    state, exogenous = map_arrays(repeated, state), map_arrays(repeated, exogenous)
    expected, expected_outcome = slot.problem.transition(state, tried, exogenous)
    assert_same(following, expected)
    assert_same(outcome, expected_outcome)


# Allocation -----------------------------------------------------------------------------------------------------------


def two_types_at_the_rsu(**options: Any) -> tuple[DNNPartition, State, Outcome]:
    """Two clients of a type with a backlog and one of another send everything to the RSU."""
    problem = DNNPartition(
        dnns=(SHORT, LONG), dnn_of_client=(0, 0, 1), num_client_vehicles=3, num_service_vehicles=0, **options
    )
    state = replace(problem.initial_state(), rsu_backlog_gcycles=np.array([10.0, 2.0]))
    return problem, state, problem.transition(state, np.zeros(3, dtype=int), plain_exogenous(problem))[1]


@pytest.mark.parametrize(
    ("allocation", "gamma"),
    [
        pytest.param("exact", [10.0 * (2 * 10.0 + 1.5 * 8.0), 10.0 * (2.0 + 7.0)], id="the backlog once a task"),
        pytest.param("eq46", [10.0 * (10.0 + 1.5 * 8.0), 10.0 * (2.0 + 7.0)], id="the backlog once"),
    ],
)
def test_weights_of_the_allocation(allocation: str, gamma: list[float]) -> None:
    problem, state, outcome = two_types_at_the_rsu(allocation=allocation)
    expected = allocate_rsu(np.array(gamma), state.rsu_backlog_gcycles, capacity_ghz=problem.rsu_ghz, slot_s=1.0)
    np.testing.assert_allclose(outcome.rsu_allocation_ghz, expected)


def test_the_exact_allocation_is_best_for_the_bound_and_the_delays() -> None:
    def objective(allocation: str) -> float:
        outcome = two_types_at_the_rsu(allocation=allocation)[2]
        return float(outcome.drift_bound + 10.0 * outcome.delay_s.sum())

    assert objective("exact") < objective("eq46")


@common
@given(SLOTS)
def test_capped_gives_no_type_more_than_it_can_use(slot: Slot) -> None:
    _, capped = slot.play(allocation="capped")
    first = slot.problem.num_client_vehicles
    waits = (in_a_row(slot.state) + arrivals_of(slot))[:, first : first + len(slot.problem.dnns)]
    usable = waits / slot.problem.slot_s
    assert (capped.rsu_allocation_ghz <= usable * (1.0 + 1e-6) + 1e-9).all()
    assert (capped.rsu_allocation_ghz.sum(axis=-1) <= slot.problem.rsu_ghz * (1.0 + 1e-9)).all()


def test_capped_shares_where_exact_gives_all_to_one() -> None:
    problem = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=1, num_service_vehicles=0)
    state = replace(problem.initial_state(), rsu_backlog_gcycles=np.array([5.0, 4.0]))
    all_local = np.array([problem.action_counts[0] - 1])
    following, outcome = problem.transition(state, all_local, plain_exogenous(problem))
    assert outcome.rsu_allocation_ghz.tolist() == [30.0, 0.0]
    assert following.rsu_backlog_gcycles.tolist() == [0.0, 4.0]
    capped, outcome = replace(problem, allocation="capped").transition(state, all_local, plain_exogenous(problem))
    np.testing.assert_allclose(outcome.rsu_allocation_ghz, [5.0, 4.0])
    assert capped.rsu_backlog_gcycles.tolist() == [0.0, 0.0]


@common
@given(SLOTS)
def test_the_rsu_hands_out_all_it_has_or_nothing(slot: Slot) -> None:
    _, outcome = slot.play(allocation="exact")
    shares = outcome.rsu_allocation_ghz.sum(axis=-1)
    work = (slot.state.rsu_backlog_gcycles > 0.0).any(axis=-1) | (outcome.process_s * (cut_and_node(slot)[1] == 0)).any(
        -1
    )
    np.testing.assert_allclose(shares, np.where(work, slot.problem.rsu_ghz, 0.0), rtol=1e-9)


# Observation ----------------------------------------------------------------------------------------------------------

EYES = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2)
STATE = State(
    client_backlog_gcycles=np.array([30.0, 60.0, 90.0]),
    rsu_backlog_gcycles=np.array([3.0, 6.0]),
    service_backlog_gcycles=np.array([15.0, 45.0]),
)
NATURE = Exogenous(
    client_position_m=np.array([-500.0, 0.0, 250.0]),
    service_position_m=np.array([100.0, -50.0]),
    v2i_mbps=np.array([100.0, 200.0, 50.0]),
    v2v_mbps=np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]),
    client_ghz=np.array([4.0, 5.0, 6.0]),
    service_ghz=np.array([7.0, 8.0]),
    client_speed_mps=np.array([15.0, 30.0, 3.0]),
    service_speed_mps=np.array([6.0, 9.0]),
)
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
    seen = EYES.observe(STATE, NATURE)
    assert EYES.observation_size == 2 * EYES.num_nodes + 1
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, PAPER, rtol=1e-6)


def test_the_extended_observation_adds_rates_processors_and_speeds() -> None:
    problem = replace(EYES, observation="extended")
    assert problem.observation_size == 5 * problem.num_nodes + 1
    np.testing.assert_allclose(problem.observe(STATE, NATURE), np.concatenate([PAPER, EXTENDED], axis=1), rtol=1e-6)


@common
@given(SLOTS, st.sampled_from(["paper", "extended"]))
def test_observation_of_lanes_is_one_at_a_time(slot: Slot, observation: str) -> None:
    problem = replace(slot.problem, observation=observation)
    together = problem.observe(slot.state, slot.exogenous)
    assert together.shape == (LANES, problem.num_client_vehicles, problem.observation_size)
    for lane in range(LANES):
        state, exogenous = (map_arrays(lambda a, n=lane: a[n], r) for r in (slot.state, slot.exogenous))
        assert np.array_equal(problem.observe(state, exogenous), together[lane])


# Actions --------------------------------------------------------------------------------------------------------------


def test_round_robin_types_and_action_counts() -> None:
    problem = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2)
    assert problem.dnn_of_client == (0, 1, 0)
    assert problem.action_counts == (9, 12, 9)
    assert problem.agent_names == ("client_0", "client_1", "client_2")
    assert problem.action_mask().sum(axis=1).tolist() == [9, 12, 9]
    assert problem.action_mask()[0].tolist() == [True] * 9 + [False] * 3


@common
@given(SLOTS)
def test_features_of_actions_say_what_an_action_is(slot: Slot) -> None:
    problem = slot.problem
    features, mask, table = problem.action_features(), problem.action_mask(), problem.choices.table
    nodes = problem.num_nodes
    to_node, edge, sent, local, at_cut = np.split(features, np.cumsum([nodes, nodes, nodes, 1]), axis=-1)
    assert features.min() >= 0.0
    assert features.max() <= 1.0
    assert (features[~mask] == 0.0).all()
    for client, count in enumerate(problem.action_counts):
        cut, node = np.divmod(np.arange(count), nodes)
        assert (to_node[client, :count].argmax(-1) == node).all()
        assert (at_cut[client, :count].argmax(-1) == cut).all()
        parts = (edge.sum(-1), table.edge_gflops), (sent.sum(-1), table.sent_mbit), (local[..., 0], table.local_gflops)
        for part, whole in parts:
            np.testing.assert_allclose(part[client, :count] * whole[client].max(), whole[client, :count])
        assert not (edge[client, :count] * (1.0 - to_node[client, :count])).any()


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
        pytest.param([[0, 0, 0], [0, 0, 99]], "action 99 of client_2", id="in a later lane"),
        pytest.param([0, 0], r"3 clients .* got shape \(2,\)", id="too few"),
        pytest.param([0, 0, 0, 0], r"3 clients .* got shape \(4,\)", id="too many"),
        pytest.param([[0], [0], [0]], r"3 clients .* got shape \(3, 1\)", id="wrong axis"),
        pytest.param([0.0, 1.0, 2.0], "integers, got dtype float64", id="floats"),
        pytest.param([True, False, True], "integers, got dtype bool", id="booleans"),
    ],
)
def test_wrong_action_is_refused(action: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EYES.transition(STATE, np.array(action), NATURE)


def test_the_last_action_of_every_client_is_accepted_in_any_integer_type() -> None:
    last = np.array(EYES.action_counts) - 1
    expected = EYES.transition(STATE, last, NATURE)[1]
    for kind in (np.int8, np.uint8, np.int32, np.uint64):
        assert_same(EYES.transition(STATE, last.astype(kind), NATURE)[1], expected)


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": "profit"}, "reward='profit' .* 'drift_bound', 'drift', 'delay'"),
        ({"reward": None}, "reward=None .* 'drift_bound', 'drift', 'delay'"),
        ({"allocation": "fair"}, "allocation='fair' .* 'exact', 'capped', 'eq46'"),
        ({"observation": "all"}, "observation='all' .* 'paper', 'extended'"),
        ({"lyapunov_v": 0.0}, "lyapunov_v=0.0 .* above 0"),
        ({"lyapunov_v": -1.0}, "lyapunov_v=-1.0 .* above 0"),
        ({"lyapunov_v": math.nan}, "lyapunov_v=nan .* finite"),
        ({"lyapunov_v": "10"}, "lyapunov_v='10' .* number"),
        ({"slot_s": 0.0}, "slot_s=0.0 .* above 0"),
        ({"rsu_ghz": -30.0}, "rsu_ghz=-30.0 .* above 0"),
        ({"bandwidth_mhz": math.inf}, "bandwidth_mhz=inf .* finite"),
        ({"transmit_power_dbm": math.nan}, "transmit_power_dbm=nan .* finite"),
        ({"noise_dbm": -math.inf}, "noise_dbm=-inf .* finite"),
        ({"client_ghz": (6.0, 4.0)}, r"client_ghz=\(6.0, 4.0\) .* 0 < low <= high"),
        ({"client_ghz": 5.0}, "client_ghz=5.0 .* range"),
        ({"service_ghz": (0.0, 8.0)}, r"service_ghz=\(0.0, 8.0\) .* 0 < low"),
        ({"service_ghz": (6.0, 7.0, 8.0)}, "service_ghz=.* range"),
        ({"service_ghz": (6.0, math.inf)}, "service_ghz=.* range"),
        ({"num_client_vehicles": 0}, "num_client_vehicles=0 .* at least 1"),
        ({"num_client_vehicles": 2.5}, "num_client_vehicles=2.5 .* integer"),
        ({"num_service_vehicles": -1}, "num_service_vehicles=-1 .* at least 0"),
        ({"episode_slots": 0}, "episode_slots=0 .* at least 1"),
        ({"dnn_of_client": (0, 1)}, "dnn_of_client has 2 entries for num_client_vehicles=7"),
        ({"dnn_of_client": (0, 1, 2, 3, 0, 0, 0)}, "dnn_of_client=.* from 0 to 2"),
        ({"dnn_of_client": (0, -1, 2, 0, 0, 0, 0)}, "dnn_of_client=.* from 0 to 2"),
        ({"dnn_of_client": (0.5,) * 7}, "dnn_of_client=.* integers"),
        ({"dnn_of_client": 0}, "dnn_of_client=0 .* integers"),
        ({"dnns": ()}, "dnns is empty"),
        ({"dnns": "alexnet"}, "dnns='alexnet' must be a list"),
        ({"dnns": ("alexnet", "lenet")}, "'lenet' .* alexnet, .* vgg16"),
        ({"workload": "guess"}, "'guess' .* mad2rl, mad2rl-literal, rtd"),
        ({"v2i_rate": 3.0}, "v2i_rate=3.0 must be a function"),
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
def test_unusual_but_sound_options_are_accepted(options: dict[str, Any]) -> None:
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


# Nature ---------------------------------------------------------------------------------------------------------------


def still_traffic(problem: DNNPartition) -> TrafficBlock:
    """Every client 30 m off the RSU's foot and every service vehicle 40 m to its side, in every slot."""
    slots, clients, services = problem.episode_slots + 1, problem.num_client_vehicles, problem.num_service_vehicles
    return TrafficBlock(
        client_xy_m=np.tile([30.0, 10.0], (slots, clients, 1)),
        service_xy_m=np.tile([30.0, 50.0], (slots, services, 1)),
        client_position_m=np.full((slots, clients), 30.0),
        service_position_m=np.full((slots, services), 31.0),
        client_speed_mps=np.full((slots, clients), 4.0),
        service_speed_mps=np.full((slots, services), 5.0),
        client_vehicle=np.tile(np.arange(clients), (slots, 1)),
        service_vehicle=np.tile(clients + np.arange(services), (slots, 1)),
    )


ROAD = Road(
    name="x", rsu_xyz_m=(0.0, 10.0, 40.0), range_m=500.0, speed_limit_mps=20.0, axis_xy_m=((-1.0, 0.0), (1.0, 0.0))
)


def test_rates_are_of_the_straight_distance_and_the_drawn_fading() -> None:
    problem = replace(EYES, episode_slots=4)
    luck = problem.sample(np.random.default_rng(3))
    exogenous = problem.nature(luck, still_traffic(problem), ROAD)
    np.testing.assert_allclose(exogenous.v2i_mbps, v2i_rate_mbps(50.0, luck.fading_power[..., 0]))
    np.testing.assert_allclose(exogenous.v2v_mbps, v2v_rate_mbps(40.0, luck.fading_power[..., 1:]))
    assert (exogenous.client_position_m == 30.0).all()
    assert (exogenous.service_position_m == 31.0).all()
    assert (exogenous.client_speed_mps == 4.0).all()
    assert (exogenous.service_speed_mps == 5.0).all()


def test_the_radio_and_the_channel_are_options() -> None:
    problem = replace(EYES, episode_slots=4, bandwidth_mhz=20.0, v2v_rate=lambda d, fading, **_: d + 0.0 * fading)
    luck = problem.sample(np.random.default_rng(3))
    exogenous = problem.nature(luck, still_traffic(problem), ROAD)
    np.testing.assert_allclose(exogenous.v2i_mbps, 2.0 * v2i_rate_mbps(50.0, luck.fading_power[..., 0]))
    np.testing.assert_allclose(exogenous.v2v_mbps, 40.0)


def test_draw_is_sample_then_nature() -> None:
    problem, traffic = replace(EYES, episode_slots=4), still_traffic(replace(EYES, episode_slots=4))
    drawn = problem.draw(np.random.default_rng(5), traffic, ROAD)
    assert_same(drawn, problem.nature(problem.sample(np.random.default_rng(5)), traffic, ROAD))


def test_processors_are_uniform_in_their_range_and_last_the_episode() -> None:
    problem = DNNPartition(dnns=(SHORT,), num_client_vehicles=500, num_service_vehicles=500, episode_slots=2)
    luck = problem.sample(np.random.default_rng(0))
    for drawn, (low, high) in ((luck.client_ghz, (4.0, 6.0)), (luck.service_ghz, (6.0, 8.0))):
        assert ((drawn >= low) & (drawn <= high)).all()
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.1)
        assert drawn.std() == pytest.approx((high - low) / math.sqrt(12.0), abs=0.05)
    exogenous = problem.nature(luck, still_traffic(problem), ROAD)
    assert (exogenous.client_ghz == luck.client_ghz).all()
    assert exogenous.service_ghz.shape == (3, 500)


def test_fading_is_exponential_with_mean_one_fresh_each_slot_and_link() -> None:
    problem = DNNPartition(dnns=(SHORT,), num_client_vehicles=50, num_service_vehicles=9, episode_slots=99)
    fading = problem.sample(np.random.default_rng(0)).fading_power
    assert fading.shape == (100, 50, 10)
    assert np.unique(fading).size == fading.size
    assert fading.mean() == pytest.approx(1.0, abs=0.02)
    assert fading.var() == pytest.approx(1.0, abs=0.05)
