"""The radio of `DNNPartition` that departs from the paper's: carrier, noise figure, reach and a shared band."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, assert_same
from tests.problems.dnn_partition.partition_slots import SLOTS, Slot, common, random_slot
from tests.problems.dnn_partition.slots import OBJECTIVES, TINY, blank, least_cost, random_view
from vec_envs import dnn_partition_v0
from vec_envs.interfaces.present_scene import present_scene
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.physics.allocation import band_shares
from vec_envs.policies import BestResponse, ExactSlot, ExhaustiveSearch, Genetic, references
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition, Draws, Exogenous, State

RADIO = {"carrier_ghz": 5.9, "noise_figure_db": 9.0, "v2v_range_m": 150.0, "shared_band": True}
SIZES = {"num_client_vehicles": 3, "num_service_vehicles": 2, "episode_slots": 3}
SLOT_S, RSU_GHZ, V = 1.0, 30.0, 10.0

# A worked episode -----------------------------------------------------------------------------------------------------

CLIENTS_M = [(-80.0, 0.0), (10.0, 4.0), (120.0, 0.0)]
SERVICES_M = [(0.0, 8.0), (260.0, 4.0)]
MAST_M = (0.0, 15.0, 8.0)
FADING = [[0.4, 1.2, 0.7], [1.5, 0.2, 2.0], [0.9, 0.3, 1.1]]
"""By client, and by node with the roadside unit first; the same in every slot."""
CLIENT_GHZ, SERVICE_GHZ = [4.0, 5.0, 6.0], [7.0, 6.5]
DNNS = (SHORT, LONG, SHORT)
PLAYED = [(0, 1), (1, 1), (0, 0)], [(0, 0), (0, 0), (1, 0)], [(1, 2), (3, 1), (0, 2)], [(0, 0), (2, 2), (1, 1)]
"""Cut and node of each client in each slot. Of clients 0 and 1 the second service vehicle is out of reach."""


def scalar_rate_mbps(client: int, node: int) -> float:
    """Returns the rate of a link; 0 out of reach."""
    x, y = CLIENTS_M[client]
    if node:
        distance_m = math.hypot(x - SERVICES_M[node - 1][0], y - SERVICES_M[node - 1][1])
        loss_db = 44.23 + 16.7 * math.log10(distance_m) + 18.2 * math.log10(5.9 / 2.0)
    else:
        distance_m = math.sqrt((x - MAST_M[0]) ** 2 + (y - MAST_M[1]) ** 2 + MAST_M[2] ** 2)
        loss_db = 38.4 + 21.0 * math.log10(distance_m) + 20.0 * math.log10(5.9 / 2.0)
    noise_dbm = -174.0 + 10.0 * math.log10(10e6) + 9.0
    snr = 10.0 ** ((23.0 - loss_db - noise_dbm) / 10.0) * FADING[client][node]
    return 0.0 if node and distance_m > 150.0 else 10.0 * math.log2(1.0 + snr)


@dataclass
class ScalarEpisode:
    """The queues of a worked episode, and what happens to them in a slot, number by number."""

    clients: list[float]
    types: list[float]
    services: list[float]

    def slot(self, played: list[tuple[int, int]]) -> dict[str, list[float]]:
        """Moves the queues on by one slot, and returns the delays and the unit's speeds."""
        tasks = [self.task(client, *cut_and_node) for client, cut_and_node in enumerate(played)]
        sent_s = [self.transmit_s(task, tasks) for task in tasks]
        speeds = self.unit_speeds([[t["edge"] for t in tasks if t["server"] == k] for k in range(2)])
        all_speeds = [*speeds, *SERVICE_GHZ]
        delays: dict[str, list[float]] = {"local_s": [], "transmit_s": sent_s, "process_s": [], "wait_s": []}
        for client, task in enumerate(tasks):
            local_s = (self.clients[client] + task["local"]) / CLIENT_GHZ[client] if task["cut"] else 0.0
            process_s = wait_s = 0.0
            if task["server"] is not None:
                speed, backlog = all_speeds[task["server"]], [*self.types, *self.services][task["server"]]
                others = sum(t["edge"] for t in tasks if t is not task and t["server"] == task["server"])
                process_s, wait_s = (backlog + task["edge"]) / speed, others / (2.0 * speed)
            for name, value in (("local_s", local_s), ("process_s", process_s), ("wait_s", wait_s)):
                delays[name].append(value)
        self.move_on(tasks, all_speeds)
        return delays | {"rsu_allocation_ghz": speeds}

    def task(self, client: int, cut: int, node: int) -> dict[str, Any]:
        """Returns a client's task: out of reach, or with the last cut, it runs all layers itself."""
        dnn, rate = DNNS[client], scalar_rate_mbps(client, node)
        work = [layer.gflops for layer in dnn.layers]
        if rate == 0.0 or cut == len(work):
            return {"cut": len(work), "local": sum(work), "edge": 0.0, "server": None, "node": None, "alone_s": 0.0}
        mbit = dnn.input_mbit if cut == 0 else dnn.layers[cut - 1].output_mbit
        server = client % 2 if node == 0 else 2 + node - 1
        local, edge, alone_s = sum(work[:cut]), sum(work[cut:]), mbit / rate
        return {"cut": cut, "local": local, "edge": edge, "server": server, "node": node, "alone_s": alone_s}

    @staticmethod
    def transmit_s(task: dict[str, Any], tasks: list[dict[str, Any]]) -> float:
        """Returns the time to send with the best share of the band of the task's node."""
        senders = [t["alone_s"] for t in tasks if t["node"] is not None and t["node"] == task["node"]]
        return 0.0 if task["node"] is None else math.sqrt(task["alone_s"]) * sum(map(math.sqrt, senders))

    def unit_speeds(self, work: list[list[float]]) -> list[float]:
        """Returns the minimiser of P3 by bisection; types without tasks have no backlog here."""
        gamma = [V * (len(w) * q + 0.5 * (len(w) + 1) * sum(w)) for w, q in zip(work, self.types, strict=True)]
        if not any(gamma):
            return [0.0, 0.0]
        low = max(q * SLOT_S for q, g in zip(self.types, gamma, strict=True) if g)
        high = low + 1e9
        for _ in range(300):
            eta = 0.5 * (low + high)
            speeds = [math.sqrt(g / (eta - q * SLOT_S)) if g else 0.0 for g, q in zip(gamma, self.types, strict=True)]
            low, high = (eta, high) if sum(speeds) > RSU_GHZ else (low, eta)
        return speeds

    def move_on(self, tasks: list[dict[str, Any]], speeds: list[float]) -> None:
        """Adds the work of the slot to the queues, and serves them."""
        arrived = [sum(t["edge"] for t in tasks if t["server"] == server) for server in range(4)]
        servers = [*self.types, *self.services]
        left = [max(q + a - f * SLOT_S, 0.0) for q, a, f in zip(servers, arrived, speeds, strict=True)]
        self.types, self.services = left[:2], left[2:]
        self.clients = [
            max(q + t["local"] - f * SLOT_S, 0.0) for q, t, f in zip(self.clients, tasks, CLIENT_GHZ, strict=True)
        ]


def worked_exogenous(problem: DNNPartition) -> Exogenous:
    slots = problem.episode_slots + 1
    traffic = TrafficBlock(
        client_xy_m=np.tile(CLIENTS_M, (slots, 1, 1)),
        service_xy_m=np.tile(SERVICES_M, (slots, 1, 1)),
        client_position_m=np.zeros((slots, 3)),
        service_position_m=np.zeros((slots, 2)),
        client_speed_mps=np.zeros((slots, 3)),
        service_speed_mps=np.zeros((slots, 2)),
        client_vehicle=np.tile(np.arange(3), (slots, 1)),
        service_vehicle=np.tile(3 + np.arange(2), (slots, 1)),
    )
    draws = Draws(
        fading_power=np.tile(FADING, (slots, 1, 1)),
        client_ghz=np.array(CLIENT_GHZ),
        service_ghz=np.array(SERVICE_GHZ),
    )
    road = Road(
        name="x", rsu_xyz_m=MAST_M, range_m=500.0, speed_limit_mps=20.0, axis_xy_m=((-500.0, 0.0), (500.0, 0.0))
    )
    return problem.exogenous(draws, traffic, road)


def at_slot(episode: Exogenous, slot: int) -> Exogenous:
    return Exogenous(**{name: array[slot] for name, array in vars(episode).items()})


def test_an_episode_agrees_with_a_scalar_computation() -> None:
    problem = DNNPartition(dnns=(SHORT, LONG), **SIZES, **RADIO)
    episode = worked_exogenous(problem)
    rates = [[scalar_rate_mbps(client, node) for node in range(3)] for client in range(3)]
    assert [rate == 0.0 for row in rates for rate in row] == [False, False, True, False, False, True] + [False] * 3
    np.testing.assert_allclose(episode.v2i_mbps[1], [row[0] for row in rates], rtol=1e-12)
    np.testing.assert_allclose(episode.v2v_mbps[1], [row[1:] for row in rates], rtol=1e-12)
    queues = {"client": [0.5, 7.0, 1.0], "rsu": [20.0, 0.0], "service": [3.0, 9.0]}
    scalar = ScalarEpisode(queues["client"], queues["rsu"], queues["service"])
    state = State(**{f"{name}_backlog_gcycles": np.array(of) for name, of in queues.items()})
    for slot, played in enumerate(PLAYED):
        expected = scalar.slot(played)
        action = np.array([cut * 3 + node for cut, node in played])
        state, outcome = problem.transition(state, action, at_slot(episode, slot))
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(outcome, name), values, rtol=1e-8, atol=1e-12, err_msg=f"{slot} {name}")
        for name, values in (("client", scalar.clients), ("rsu", scalar.types), ("service", scalar.services)):
            np.testing.assert_allclose(getattr(state, f"{name}_backlog_gcycles"), values, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("option", RADIO)
def test_each_option_matters_alone(option: str) -> None:
    plain = DNNPartition(dnns=(SHORT, LONG), **SIZES)
    action = np.array([0 * 3 + 1, 1 * 3 + 1, 0 * 3 + 2])
    if option == "v2v_range_m":
        action[0] += 1

    def transmit_s(problem: DNNPartition) -> np.ndarray:
        nature = at_slot(worked_exogenous(problem), 0)
        return problem.transition(problem.initial_state(), action, nature)[1].transmit_s

    assert not np.array_equal(transmit_s(replace(plain, **{option: RADIO[option]})), transmit_s(plain))


@pytest.mark.parametrize(
    "options", [{"carrier_ghz": 2.0}, {"v2v_range_m": math.inf}, {"v2v_range_m": 1e9, "carrier_ghz": 2}]
)
def test_options_at_the_papers_values_change_no_bit(options: dict[str, Any]) -> None:
    plain = DNNPartition(dnns=(SHORT, LONG), **SIZES)
    same = replace(plain, **options)
    assert_same(worked_exogenous(same), worked_exogenous(plain))
    for seed in range(5):
        slot = random_slot(seed)
        assert_same(slot.play(**options)[1], slot.play()[1])


def test_the_noise_figure_replaces_the_noise() -> None:
    plain = DNNPartition(dnns=(SHORT, LONG), **SIZES, bandwidth_mhz=20.0)
    noise_dbm = -174.0 + 10.0 * math.log10(20e6) + 7.0
    by_figure = worked_exogenous(replace(plain, noise_figure_db=7.0, noise_dbm=-50.0))
    np.testing.assert_allclose(by_figure.v2v_mbps, worked_exogenous(replace(plain, noise_dbm=noise_dbm)).v2v_mbps)


def test_a_channel_of_ones_own_gets_the_carrier_it_takes() -> None:
    def with_carrier(distance_m: Any, fading_power: Any, *, carrier_ghz: float = 2.0, **radio: Any) -> Any:
        return carrier_ghz + 0.0 * distance_m

    def without(distance_m: Any, fading_power: Any, *, bandwidth_mhz: Any, transmit_power_dbm: Any, noise_dbm: Any):
        return 1.0 + 0.0 * distance_m

    rates = {"v2i_rate": with_carrier, "v2v_rate": with_carrier}
    assert worked_exogenous(DNNPartition(**SIZES, **rates, carrier_ghz=5.9)).v2v_mbps[0, 0, 0] == 5.9
    assert worked_exogenous(DNNPartition(**SIZES, v2v_rate=without)).v2v_mbps[0, 0, 0] == 1.0
    with pytest.raises(ValueError, match=r"carrier_ghz must be 2 for a v2v_rate without the keyword .*, got 5\.9: add"):
        DNNPartition(**SIZES, v2v_rate=without, carrier_ghz=5.9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"carrier_ghz": 0.1}, "carrier_ghz must be a number from 0.5 to 100, .*, got 0.1"),
        ({"carrier_ghz": 5.9e9}, "carrier_ghz must be a number from 0.5 to 100, .*, got 5900000000.0"),
        ({"carrier_ghz": "5.9"}, "carrier_ghz must be .*number.*, got '5.9'"),
        ({"noise_figure_db": math.nan}, "noise_figure_db must be .*finite.*, got nan"),
        ({"v2v_range_m": 0.0}, "v2v_range_m must be .*above 0, got 0.0"),
        ({"v2v_range_m": -math.inf}, "v2v_range_m must be .*above 0, got -inf"),
        ({"v2v_range_m": math.nan}, "v2v_range_m must be .*, got nan"),
        ({"shared_band": "no"}, "shared_band must be True or False, got 'no'"),
    ],
    ids=str,
)
def test_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DNNPartition(**options)


# The shared band ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_shares_add_up_to_the_band_and_minimise_the_sum_of_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    senders, receivers = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    alone_s = rng.exponential(1.0, (4, senders)) ** 3 * (rng.random((4, senders)) > 0.2)
    receiver = rng.integers(0, receivers, (4, senders)) + np.arange(4)[:, None] * receivers
    share = band_shares(alone_s, receiver)
    assert ((share > 0.0) == (alone_s > 0.0)).all()
    sends = alone_s > 0.0
    total = np.bincount(receiver[sends], share[sends], 4 * receivers)
    busy = np.bincount(receiver[sends], minlength=4 * receivers) > 0
    np.testing.assert_allclose(total[busy], 1.0)
    least = np.bincount(receiver[sends], alone_s[sends] / share[sends], 4 * receivers)
    for _ in range(5):
        other = share[sends] * rng.uniform(0.5, 2.0, sends.sum())
        other /= np.bincount(receiver[sends], other, 4 * receivers)[receiver[sends]]
        spent = np.bincount(receiver[sends], alone_s[sends] / other, 4 * receivers)
        assert (least <= spent * (1.0 + 1e-12)).all()


@common
@given(SLOTS)
def test_a_shared_band_changes_times_to_send_alone_and_none_of_a_sole_sender(slot: Slot) -> None:
    shared, own = slot.play(shared_band=True)[1], slot.play()[1]
    for name in ("local_s", "process_s", "wait_s", "rsu_allocation_ghz"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(own, name))
    assert (shared.transmit_s >= own.transmit_s * (1.0 - 1e-12)).all()
    node = np.where(own.transmit_s > 0.0, slot.action % slot.problem.num_nodes, -1)
    alone = (node[..., :, None] == node[..., None, :]).sum(axis=-1) == 1
    np.testing.assert_array_equal(shared.transmit_s[alone], own.transmit_s[alone])
    assert np.isfinite(shared.delay_s).all()


def test_the_exact_policy_refuses_a_shared_band_and_the_searches_take_it() -> None:
    problem = replace(TINY, shared_band=True)
    with pytest.raises(ValueError, match=r"ExactSlot takes shared_band=False only, got .*Use BestResponse"):
        ExactSlot(problem)
    view = random_view(problem, 6, seed=2)
    least = least_cost(view, 6, "drift")
    for policy in (ExhaustiveSearch(problem, objective="drift"), BestResponse(problem, objective="drift")):
        found = problem.cost(view, policy.act(blank(problem, 6), view), "drift")
        np.testing.assert_allclose(found, least)


# Reach ----------------------------------------------------------------------------------------------------------------


def partly_reached(problem: DNNPartition, batch_size: int, seed: int) -> View:
    """Returns random slots in which half of the links between vehicles are out of reach."""
    problem = replace(problem, v2v_range_m=150.0)
    view = random_view(problem, batch_size, seed)
    beyond = np.random.default_rng(seed).random(view.exogenous.v2v_mbps.shape) < 0.5
    nature = replace(view.exogenous, v2v_mbps=np.where(beyond, 0.0, view.exogenous.v2v_mbps))
    return View(problem=problem, state=view.state, exogenous=nature)


def is_legal(view: View, action: np.ndarray) -> np.ndarray:
    mask = view.problem.action_mask(view.state, view.exogenous)
    return np.take_along_axis(mask, action[..., None], axis=-1)[..., 0]


@common
@given(SLOTS, st.sampled_from([False, True]))
def test_a_masked_action_is_what_running_all_layers_is(slot: Slot, shared_band: bool) -> None:
    rng = np.random.default_rng(0)
    near = rng.random(slot.exogenous.v2v_mbps.shape) < 0.5
    slot = replace(slot, exogenous=replace(slot.exogenous, v2v_mbps=np.where(near, slot.exogenous.v2v_mbps, 0.0)))
    problem = replace(slot.problem, v2v_range_m=150.0, shared_band=shared_band)
    mask = problem.action_mask(slot.state, slot.exogenous)
    legal = np.take_along_axis(mask, slot.action[..., None], axis=-1)[..., 0]
    node = slot.action % problem.num_nodes
    within = np.concatenate([np.ones((*near.shape[:-1], 1), bool), near], axis=-1)
    np.testing.assert_array_equal(legal, np.take_along_axis(within, node[..., None], axis=-1)[..., 0])
    local = problem.num_layers * problem.num_nodes
    played = problem.as_played(slot.action, slot.exogenous)
    np.testing.assert_array_equal(played, np.where(legal, slot.action, local))
    for one, other in zip(
        problem.transition(slot.state, slot.action, slot.exogenous),
        replace(problem, v2v_range_m=None).transition(slot.state, played, slot.exogenous),
        strict=True,
    ):
        assert_same(one, other)


@pytest.mark.parametrize("kind", ["paper", "extended"])
@pytest.mark.parametrize("services", [0, 2])
def test_vehicles_are_masked_by_their_distance_in_each_slot_and_observed(kind: str, services: int) -> None:
    env = dnn_partition_v0.vector_env(
        num_envs=8, mobility="straight", observation=kind, v2v_range_m=150.0, num_service_vehicles=services
    )
    observation, _ = env.reset(seed=0)
    changes, last = 0, None
    for _ in range(10):
        view = env.view
        mask = env.problem.action_mask(view.state, view.exogenous)
        assert mask.shape == (8, 7, max(env.problem.action_counts))
        np.testing.assert_array_equal(env.problem.action_mask_from_observation(observation), mask)
        nature = view.exogenous
        distance_m = np.abs(nature.client_position_m[..., None] - nature.service_position_m[..., None, :])
        at_input = mask[..., 1 : services + 1]
        assert not at_input[distance_m > 150.0].any()
        assert at_input[distance_m < 140.0].all()
        assert mask[..., 0].all()
        changes += last is not None and not np.array_equal(mask, last)
        last = mask
        observation, *_ = env.step(np.zeros((8, 7), int))
    assert (changes > 0) == (services > 0)
    assert observation.shape[-1] == env.problem.observation_size
    env.close()


@pytest.mark.parametrize("name", sorted(references(DNNPartition).policies))
def test_reference_policies_take_legal_actions(name: str) -> None:
    view = partly_reached(DNNPartition(num_client_vehicles=4, num_service_vehicles=2), 6, seed=4)
    policy = references(view.problem).named(name).make(view.problem)
    policy.reset(0)
    assert is_legal(view, policy.act(blank(view.problem, 6), view)).all()


@OBJECTIVES
def test_searches_find_the_optimum_within_reach(objective: Any) -> None:
    view = partly_reached(TINY, 8, seed=5)
    least = least_cost(view, 8, objective)
    assert not np.allclose(least, least_cost(random_view(TINY, 8, seed=5), 8, objective))
    exact = ExactSlot(view.problem, objective=objective).solve(view)
    np.testing.assert_allclose(exact.value, least)
    assert (exact.gap == 0.0).all()
    for search in (ExhaustiveSearch, Genetic):
        action = search(view.problem, objective=objective).act(blank(view.problem, 8), view)
        assert is_legal(view, action).all()
        np.testing.assert_allclose(view.problem.cost(view, action, objective), least)


def test_known_costs_out_of_reach_are_those_of_running_all_layers() -> None:
    problem = DNNPartition(num_client_vehicles=4, num_service_vehicles=2, observation="extended")
    view = partly_reached(problem, 6, seed=6)
    mask = view.problem.action_mask(view.state, view.exogenous).swapaxes(0, 1)
    rows = view.problem.observe(view.state, view.exogenous).swapaxes(0, 1)
    local = (problem.num_layers * problem.num_nodes)[:, None, None]
    exists = problem.choices.mask()[:, None] & np.ones_like(mask)
    for cost, unlimited in zip(view.problem.action_costs().of(rows), problem.action_costs().of(rows), strict=True):
        np.testing.assert_allclose(cost[mask], unlimited[mask])
        of_local = np.broadcast_to(np.take_along_axis(cost, np.broadcast_to(local, (4, 6, 1)), axis=-1), cost.shape)
        np.testing.assert_allclose(cost[exists & ~mask], of_local[exists & ~mask])
    assert (exists & ~mask).any()


def test_the_picture_shows_what_is_played() -> None:
    env = dnn_partition_v0.vector_env(num_envs=1, mobility="straight", v2v_range_m=1e-3)
    env.reset(seed=0)
    env.step(np.array([[1, 0, 1, 0, 1, 0, 1]]))  # all layers at the first service vehicle, or at the unit
    links = present_scene(env.batch, 0).frame.links
    unit = env.batch.problem.num_client_vehicles + env.batch.problem.num_service_vehicles
    assert [link[:2] for link in links] == [(1, unit), (3, unit), (5, unit)]
    env.close()
