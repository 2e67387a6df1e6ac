"""What must hold of a slot whatever is decided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, assert_same
from tests.problems.mobile_inference.street_slots import (
    Slot,
    common,
    played,
    random_action,
    random_exogenous,
    row,
    slots,
)
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.mobile_inference.objective import SlotTerms
from vec_envs.records import map_arrays


def quiet(slot: Slot) -> Slot:
    """Returns the slot without arrivals and departures, so that what is left of each task can be compared."""
    never = {name: np.zeros_like(getattr(slot.exogenous, name)) for name in ("client_leaves", "service_leaves")}
    return replace(slot, exogenous=replace(slot.exogenous, **never, arrives=np.zeros_like(slot.exogenous.arrives)))


def by_index(index: np.ndarray, amount: np.ndarray, size: int) -> np.ndarray:
    """Returns the amounts summed by index in each environment, `[batch, size]`."""
    return (amount[..., None] * (index[..., None] == np.arange(size))).sum(axis=-2)


# Work and time --------------------------------------------------------------------------------------------------------


@common
@given(slots())
def test_no_processor_and_no_band_gives_more_than_it_has(slot: Slot) -> None:
    slot, problem = quiet(slot), slot.problem
    begun, _ = problem.dynamics.start(slot.state, slot.action, slot.exogenous)
    ran_on = replace(problem, deadline_s=1000.0 * problem.slot_s)  # nothing ends without a result
    after, outcome = ran_on.transition(slot.state, slot.action, slot.exogenous)
    ended = outcome.done > 0
    local = np.where(ended, 0.0, after.local_gcycles)
    assert (begun.local_gcycles - local <= slot.exogenous.client_ghz * problem.slot_s + 1e-9).all()
    speeds = np.concatenate([np.full((6, problem.num_rsus), problem.rsu_ghz), slot.exogenous.service_ghz], axis=-1)
    computed = by_index(begun.node, begun.edge_gcycles - after.edge_gcycles, problem.num_nodes)
    assert (computed <= speeds * problem.slot_s + 1e-9).all()
    links = problem.dynamics.links(begun, slot.exogenous)
    sent = begun.send_mbit - after.send_mbit
    band_s = np.divide(sent, links.efficiency * links.band_mhz, out=np.zeros(sent.shape), where=sent > 0.0)
    receiver = links.receiver % problem.num_nodes
    assert (by_index(receiver, band_s, problem.num_nodes) <= problem.slot_s + 1e-9).all()


@common
@given(slots())
def test_what_is_left_only_falls_and_ages_only_grow(slot: Slot) -> None:
    slot = quiet(slot)
    begun, queue = slot.problem.dynamics.start(slot.state, slot.action, slot.exogenous)
    after, _ = slot.play()
    same = after.in_flight
    for name in ("local_gcycles", "send_mbit", "edge_gcycles"):
        assert (getattr(after, name) <= getattr(begun, name) + 1e-12).all()
        assert (getattr(after, name) >= 0.0).all()
    np.testing.assert_allclose(after.age_s[same], (begun.age_s + slot.problem.slot_s)[same], rtol=1e-12)
    waits = after.waiting
    np.testing.assert_allclose(after.waiting_age_s[waits], (queue.age_s + slot.problem.slot_s)[waits], rtol=1e-12)
    assert ((after.age_s < slot.problem.deadline_s) & (after.waiting_age_s < slot.problem.deadline_s)).all()


@common
@given(slots())
def test_tasks_that_do_not_exist_leave_nothing(slot: Slot) -> None:
    after, _ = slot.play()
    for name in ("local_gcycles", "send_mbit", "task_mbit", "forward_s", "edge_gcycles", "age_s"):
        assert (getattr(after, name)[~after.in_flight] == 0.0).all(), name
    assert (after.node[~after.in_flight] == -1).all()
    assert (after.waiting_age_s[~after.waiting] == 0.0).all()


@common
@given(slots())
def test_tasks_are_counted_once(slot: Slot) -> None:
    after, outcome = slot.play()
    before = slot.state.waiting.astype(int) + slot.state.in_flight + outcome.arrived
    gone = outcome.done + outcome.missed + outcome.withdrawn
    np.testing.assert_array_equal(before, gone + after.waiting + after.in_flight)


@common
@given(st.integers(0, 2**32), st.sampled_from([0.25, 0.5, 1.0]))
def test_a_task_alone_takes_what_its_phases_take(seed: int, slot_s: float) -> None:
    rng = np.random.default_rng(seed)
    problem = MobileInference(
        dnns=(LONG,), num_client_vehicles=1, num_service_vehicles=2, slot_s=slot_s, deadline_s=100.0, rsu_ghz=20.0
    )
    cut, node = rng.integers(0, LONG.num_layers + 1), rng.integers(0, problem.num_nodes)
    now = random_exogenous(problem, rng, (), leaving=0.0)
    now = replace(now, arrives=np.zeros(1, np.bool_), service_present=np.ones(2, np.bool_))
    now = replace(now, v2i_efficiency=now.v2i_efficiency + 0.3, v2v_efficiency=now.v2v_efficiency + 0.3)
    state = replace(problem.initial_state(), waiting=np.array([True]), waiting_age_s=np.array([3.0 * slot_s]))
    action, in_system_s, outcome = np.array([1 + cut * problem.num_nodes + node]), 0.0, None
    for _ in range(round(100.0 / slot_s)):
        state, outcome = problem.transition(state, action, now)
        in_system_s += outcome.in_system_s[0]
        if not state.in_flight[0]:
            break
    starts, access = problem.starts, now.v2i_efficiency[0].argmax()
    expected = 3.0 * slot_s + starts.local_gcycles[0, cut] / now.client_ghz[0]
    if cut < LONG.num_layers and node < 3:
        mbit, hops = starts.task_mbit[0, cut], abs(int(access) - int(node))
        expected += mbit / (20.0 * now.v2i_efficiency[0, access]) + starts.edge_gcycles[0, cut] / 20.0
        expected += hops * (problem.hop_s + mbit / problem.backhaul_mbps)
    elif cut < LONG.num_layers:
        expected += starts.task_mbit[0, cut] / (10.0 * now.v2v_efficiency[0, node - 3])
        expected += starts.edge_gcycles[0, cut] / now.service_ghz[node - 3]
    assert outcome is not None
    np.testing.assert_allclose(outcome.task_time_s, expected, rtol=1e-9)
    np.testing.assert_allclose(in_system_s + 3.0 * slot_s, expected, rtol=1e-9)


# Costs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@common
@given(st.integers(0, 2**32))
def test_the_return_is_minus_the_times_and_penalties_of_what_arrived(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = MobileInference(dnns=(SHORT, LONG), num_client_vehicles=4, reward="delay", deadline_s=4.0)
    state, returned, tasks = problem.initial_state((3,)), np.zeros(3), np.zeros(3)
    for _ in range(16):
        now, action = random_exogenous(problem, rng, (3,), leaving=0.1), random_action(problem, rng, (3,))
        stay = replace(now, client_leaves=np.zeros_like(now.client_leaves), arrives=np.zeros_like(now.arrives))
        kept = problem.transition(state, action, stay)[0]
        withdrawn_s = np.where(now.client_leaves, kept.age_s + kept.waiting_age_s, 0.0)
        state, outcome = problem.transition(state, action, now)
        returned += outcome.reward
        tasks += (outcome.task_time_s + outcome.missed * (4.0 + 5.0) + withdrawn_s).sum(axis=-1)
    unfinished = (state.age_s + state.waiting_age_s).sum(axis=-1)
    np.testing.assert_allclose(returned, -(tasks + unfinished), rtol=1e-9, atol=1e-9)


@common
@given(st.integers(0, 2**32))
def test_decisions_do_not_change_what_arrives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = MobileInference(dnns=(SHORT, LONG), num_client_vehicles=4)
    one = other = problem.initial_state((3,))
    for _ in range(10):
        now = random_exogenous(problem, rng, (3,))
        one, first = problem.transition(one, random_action(problem, rng, (3,)), now)
        other, second = problem.transition(other, np.zeros((3, 4), dtype=int), now)
        np.testing.assert_array_equal(first.arrived, second.arrived)


def cost_of(policy: str, *, leaves_at: int | None = None) -> float:
    """Returns the cost of one task of a lone client: 8 s at the client, in an episode of 40 slots of 0.5 s."""
    problem = MobileInference(dnns=(SHORT,), num_client_vehicles=1, num_service_vehicles=1, frames_per_task=8)
    rng = np.random.default_rng(0)
    now = random_exogenous(problem, rng, (), leaving=0.0)
    now = replace(now, arrives=np.zeros(1, np.bool_), client_ghz=np.array([4.0]), service_present=np.ones(1, np.bool_))
    state, cost_s = replace(problem.initial_state(), waiting=np.array([True])), 0.0
    actions = {"wait": 0, "local": problem.starts.all_local(np.zeros(1, dtype=int))[0], "dump": 1 + 3}
    for slot in range(40):
        leaves = {"client_leaves": np.array([slot == leaves_at]), "service_leaves": np.array([policy == "dump"])}
        state, outcome = problem.transition(state, np.array([int(actions[policy])]), replace(now, **leaves))
        cost_s += float(outcome.cost_s)
    return cost_s


def test_neither_waiting_nor_missing_on_purpose_pays() -> None:
    assert cost_of("local") == pytest.approx(8.0)
    assert cost_of("wait") == pytest.approx(10.0 + 5.0)
    assert cost_of("dump") == pytest.approx(10.0 + 5.0)


@pytest.mark.parametrize("leaves_at", [0, 5, 15, 19, 30])
def test_parking_a_task_until_the_client_leaves_does_not_pay(leaves_at: int) -> None:
    assert cost_of("local", leaves_at=leaves_at) <= cost_of("wait", leaves_at=leaves_at) + 1e-9


@common
@given(slots())
def test_the_reward_is_minus_the_drift_and_the_cost(slot: Slot) -> None:
    after, outcome = slot.play()
    plain = replace(slot.exogenous, client_leaves=np.zeros_like(slot.exogenous.client_leaves))
    queues = replace(slot, exogenous=plain).play()[0].energy_queue_j
    drift = 0.5 * (queues**2 - slot.state.energy_queue_j**2).sum(axis=-1)
    np.testing.assert_allclose(outcome.drift, drift, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(outcome.reward, -outcome.drift / 100.0 - outcome.cost_s, rtol=1e-12)
    delay = replace(slot.problem, reward="delay").transition(slot.state, slot.action, slot.exogenous)[1]
    np.testing.assert_array_equal(delay.reward, -outcome.cost_s)
    assert (after.energy_queue_j[slot.exogenous.client_leaves] == 0.0).all()


def test_a_reward_of_ones_own_gets_all_terms() -> None:
    def energy(terms: SlotTerms) -> np.ndarray:
        return terms.energy_j.sum(axis=-1)

    problem, rng = MobileInference(reward=energy), np.random.default_rng(3)
    state = played(problem, rng, (4,), 6)
    outcome = problem.transition(state, random_action(problem, rng, (4,)), random_exogenous(problem, rng, (4,)))[1]
    assert (outcome.energy_j > 0.0).any()
    np.testing.assert_array_equal(outcome.reward, -outcome.energy_j.sum(axis=-1))


# Actions --------------------------------------------------------------------------------------------------------------


@common
@given(slots())
def test_masked_actions_mean_0_or_all_local(slot: Slot) -> None:
    problem, state = slot.problem, slot.state
    mask = problem.action_mask(state, slot.exogenous)
    legal = np.take_along_axis(mask, slot.action[..., None], axis=-1)[..., 0]
    decides = state.waiting & ~state.in_flight
    local = (slot.action > 0) & (
        (slot.action - 1) // problem.num_nodes >= problem.starts.num_layers[state.waiting_type]
    )
    meant = np.where(decides & local, problem.starts.all_local(state.waiting_type), 0)
    for one, other in zip(slot.play(), replace(slot, action=np.where(legal, slot.action, meant)).play(), strict=True):
        assert_same(one, other)


@common
@given(slots())
def test_every_legal_start_starts_a_task_and_differs_from_the_others(slot: Slot) -> None:
    problem = slot.problem
    mask = problem.action_mask(slot.state, slot.exogenous)
    assert mask[..., 0].all()
    decides = slot.state.waiting & ~slot.state.in_flight
    assert not mask[~decides, 1:].any()
    for env, client in np.argwhere(decides):
        seen = set()
        for action in np.flatnonzero(mask[env, client])[1:]:
            joint = np.zeros(problem.num_client_vehicles, dtype=int)
            joint[client] = action
            begun, _ = problem.dynamics.start(row(slot.state, env), joint, row(slot.exogenous, env))
            assert begun.in_flight[client]
            seen.add((int(begun.node[client]), float(begun.local_gcycles[client]), float(begun.task_mbit[client])))
        layers = problem.starts.num_layers[slot.state.waiting_type[env, client]]
        assert (
            mask[env, client, 1:].sum() == layers * (problem.num_rsus + slot.exogenous.service_present[env].sum()) + 1
        )
        assert len({node for node, _, _ in seen}) == problem.num_rsus + slot.exogenous.service_present[env].sum() + 1


@common
@given(slots())
def test_the_mask_follows_from_observations(slot: Slot) -> None:
    observation = slot.problem.observe(slot.state, slot.exogenous)
    assert observation.shape == (6, slot.problem.num_client_vehicles, slot.problem.observation_size)
    assert np.isfinite(observation).all()
    found = slot.problem.action_mask_from_observation(observation)
    np.testing.assert_array_equal(found, slot.problem.action_mask(slot.state, slot.exogenous))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.zeros(7, dtype=int), "one integer for each of 8 clients along its last axis, got shape"),
        (np.zeros(8), "actions must be integers, got dtype float64"),
        (np.array([0] * 7 + [199]), r"action 199 of client_7 is outside \[0, 198\]"),
        (np.array([-1] * 8), r"action -1 of client_0 is outside \[0, 198\]"),
    ],
)
def test_wrong_actions_are_refused(action: np.ndarray, words: str) -> None:
    problem = MobileInference()
    now = random_exogenous(problem, np.random.default_rng(0), ())
    with pytest.raises(ValueError, match=words):
        problem.transition(problem.initial_state(), action, now)


def test_features_of_actions_tell_them_apart() -> None:
    problem = MobileInference(dnns=(SHORT, LONG), num_client_vehicles=2, num_service_vehicles=1)
    features = problem.action_features()
    assert features.shape[:2] == (2, problem.actions.counts[0])
    assert ((features >= 0.0) & (features <= 1.0)).all()
    assert len(np.unique(features[0], axis=0)) == features.shape[1]


# Batches --------------------------------------------------------------------------------------------------------------


@common
@given(slots())
def test_a_batch_equals_its_rows_bit_for_bit(slot: Slot) -> None:
    batched = (*slot.play(), slot.problem.observe(slot.state, slot.exogenous))
    for index in range(len(slot.action)):
        state, now = row(slot.state, index), row(slot.exogenous, index)
        after, outcome = slot.problem.transition(state, slot.action[index], now)
        assert_same(after, row(batched[0], index))
        assert_same(outcome, row(batched[1], index))
        np.testing.assert_array_equal(slot.problem.observe(state, now), batched[2][index])


@common
@given(slots())
def test_leading_axes_may_be_any_and_of_length_1(slot: Slot) -> None:
    def folded(a: np.ndarray) -> np.ndarray:
        return a.reshape((3, 2, *a.shape[1:]))

    after, outcome = slot.play()
    state, now = (map_arrays(folded, record) for record in (slot.state, slot.exogenous))
    twice = slot.problem.transition(state, folded(slot.action), now)
    assert_same(twice[0], map_arrays(folded, after))
    assert_same(twice[1], map_arrays(folded, outcome))
    alone, one = (map_arrays(lambda a: a[:1], record) for record in (slot.state, slot.exogenous))
    wide = slot.problem.transition(alone, slot.action, one)
    repeated = (map_arrays(lambda a: np.repeat(a, 6, axis=0), record) for record in (alone, one))
    tiled_state, tiled = repeated
    for found, expected in zip(wide, slot.problem.transition(tiled_state, slot.action, tiled), strict=True):
        assert_same(found, expected)


def test_metrics_of_one_environment_are_numbers() -> None:
    problem = MobileInference()
    now = random_exogenous(problem, np.random.default_rng(0), ())
    metrics = problem.metrics(*problem.transition(problem.initial_state(), np.zeros(8, dtype=int), now))
    assert {metric.name for metric in problem.reported_metrics} < metrics.keys()
    assert all(np.shape(value) == () for value in metrics.values())
