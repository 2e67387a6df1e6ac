"""What must hold of a slot whatever is decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, assert_same
from tests.problems.dnn_partition.partition_slots import (
    BATCH_SIZE,
    SLOTS,
    Slot,
    arrivals_of,
    common,
    cut_and_node,
    in_a_row,
    plain_exogenous,
    service_of,
    with_cut,
)
from vec_envs.physics.allocation import allocate_rsu
from vec_envs.problems.dnn_partition.problem import DNNPartition, Outcome, State
from vec_envs.records import map_arrays, row_of

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
    for row in range(BATCH_SIZE):
        expected = np.zeros(arrivals.shape[-1])
        for i, k in enumerate(slot.problem.client_types):
            dnn, server = slot.problem.profiles[k], k if node[row, i] == 0 else types + node[row, i] - 1
            expected[i] += dnn.local_gflops[cut[row, i]]
            expected[clients + server] += dnn.edge_gflops[cut[row, i]]
        np.testing.assert_allclose(arrivals[row], expected, rtol=1e-9, atol=1e-9)


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
def test_a_client_that_runs_all_layers_does_not_depend_on_its_node(slot: Slot) -> None:
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
    empty = replace(slot, state=slot.problem.initial_state((BATCH_SIZE,)))
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
        np.testing.assert_array_equal(outcome.reward, outcome.reward_terms["drift"] + outcome.reward_terms["delay"])


@common
@given(SLOTS)
def test_metrics_are_sums_over_clients_and_queues(slot: Slot) -> None:
    following, outcome = slot.play()
    figures = slot.problem.metrics(following, outcome)
    np.testing.assert_allclose(figures["completion_time_s"], outcome.delay_s.sum(axis=-1))
    np.testing.assert_allclose(figures["backlog_gcycles"], in_a_row(following).sum(axis=-1))
    assert figures["drift"] is outcome.drift
    assert figures["drift_bound"] is outcome.drift_bound
    assert (figures["reward_terms"]["drift"] + figures["reward_terms"]["delay"] == outcome.reward).all()


# Purity and batches ---------------------------------------------------------------------------------------------------


@common
@given(SLOTS)
def test_inputs_are_not_modified_and_equal_inputs_give_equal_results(slot: Slot) -> None:
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
def test_a_batch_equals_row_by_row_transitions_bit_for_bit(slot: Slot) -> None:
    following, outcome = slot.play()
    for row in range(BATCH_SIZE):
        state, exogenous = (map_arrays(lambda a, n=row: a[n], r) for r in (slot.state, slot.exogenous))
        alone, alone_outcome = slot.problem.transition(state, slot.action[row], exogenous)
        assert_same(map_arrays(lambda a, n=row: a[n], following), alone)
        assert_same(row_of(outcome, row), alone_outcome)


@settings(max_examples=10)
@given(SLOTS)
def test_one_state_under_many_actions_is_the_state_repeated(slot: Slot) -> None:
    rng = np.random.default_rng(0)
    tried = rng.integers(0, slot.problem.action_counts, (BATCH_SIZE, 2, 3, slot.problem.num_client_vehicles))
    state, exogenous = (map_arrays(lambda a: a[:, None, None], r) for r in (slot.state, slot.exogenous))
    following, outcome = slot.problem.transition(state, tried, exogenous)

    def repeated(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(array, (BATCH_SIZE, 2, 3, *array.shape[3:])))

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
def test_the_rsu_allocates_its_full_speed_or_none(slot: Slot) -> None:
    _, outcome = slot.play(allocation="exact")
    shares = outcome.rsu_allocation_ghz.sum(axis=-1)
    work = (slot.state.rsu_backlog_gcycles > 0.0).any(axis=-1) | (outcome.process_s * (cut_and_node(slot)[1] == 0)).any(
        -1
    )
    np.testing.assert_allclose(shares, np.where(work, slot.problem.rsu_ghz, 0.0), rtol=1e-9)
