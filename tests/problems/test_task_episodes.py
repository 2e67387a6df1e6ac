"""Whole episodes of `TaskDiversion`: against a slow simulator of single numbers, and what must hold in all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from math import hypot, inf, log2, log10
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vec_envs.dnn import DNNProfile, Layer
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.policies import CheapestCut
from vec_envs.problems.problem import View
from vec_envs.problems.task_diversion import Exogenous, Luck, Outcome, State, TaskDiversion
from vec_envs.records import map_arrays, stack

ROAD = Road(
    name="test",
    rsu_xyz_m=(0.0, -15.0, 4.0),
    range_m=2000.0,
    speed_limit_mps=20.0,
    axis_xy_m=((-1200.0, 0.0), (1200.0, 0.0)),
)


def profile(name: str, gflops: tuple[float, ...], mbit: tuple[float, ...]) -> DNNProfile:
    layers = tuple(
        Layer(name=f"layer{n}", gflops=work, gmacs=work / 2, output_mbit=size, parameter_mbyte=0.0)
        for n, (work, size) in enumerate(zip(gflops, mbit[1:], strict=True), start=1)
    )
    return DNNProfile(name=name, input_mbit=mbit[0], layers=layers)


OWN_DNNS = (profile("short", (1.0, 3.0), (4.0, 2.0, 0.5)), profile("long", (0.0, 2.0, 0.1, 5.0), (1.0, 8.0, 8.0, 0, 1)))


def problem_of(**options: Any) -> TaskDiversion:
    plain = {"num_client_vehicles": 6, "episode_slots": 12, "dnns": OWN_DNNS, "release_rate_hz": 0.5}
    return TaskDiversion(**(plain | {"observation": "extended"} | options))


# Nature ---------------------------------------------------------------------------------------------------------------


def holders(rng: np.random.Generator, slots: int, seats: int) -> np.ndarray:
    """Returns who holds each seat: vehicles that come and go, with gaps; everyone is there in the first slot."""
    holder = np.full((slots, seats), -1)
    number = 0
    for slot in range(slots):
        for seat in range(seats):
            held = slot > 0 and holder[slot - 1, seat] >= 0
            if held and rng.random() > 0.15:
                holder[slot, seat] = holder[slot - 1, seat]
            elif slot == 0 or rng.random() < 0.6:
                holder[slot, seat], number = number, number + 1
    return holder


def traffic_of(rng: np.random.Generator, problem: TaskDiversion) -> TrafficBlock:
    slots, seats = problem.episode_slots + 1, problem.num_client_vehicles
    holder = holders(rng, slots, seats)
    held = holder >= 0
    xy_m = np.stack([rng.uniform(-1300.0, 1300.0, held.shape), rng.uniform(-10.0, 10.0, held.shape)], axis=-1)
    return TrafficBlock(
        client_xy_m=xy_m * held[..., None],
        client_position_m=xy_m[..., 0] * held,
        client_speed_mps=rng.uniform(-20.0, 20.0, held.shape) * held,
        client_vehicle=holder,
        service_xy_m=np.zeros((slots, 0, 2)),
        service_position_m=np.zeros((slots, 0)),
        service_speed_mps=np.zeros((slots, 0)),
        service_vehicle=np.zeros((slots, 0), dtype=int),
    )


def drawn(problem: TaskDiversion, seed: int, lanes: int) -> tuple[list[Luck], list[TrafficBlock], Exogenous]:
    rng = np.random.default_rng(seed)
    traffic = [traffic_of(rng, problem) for _ in range(lanes)]
    luck = [problem.sample(rng) for _ in range(lanes)]
    return luck, traffic, problem.nature(stack(luck), stack(traffic), ROAD)


# Episodes as the problem has them -------------------------------------------------------------------------------------

Actor = Callable[[View, np.random.Generator], np.ndarray]


def at_random(view: View, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (len(view.exogenous.dnn), 1, view.problem.actions.size))


def at_the_borders(view: View, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1.0, 0.0, 1.0], (len(view.exogenous.dnn), 1, view.problem.actions.size)).astype(np.float32)


def all_to_slow_units(view: View, rng: np.random.Generator) -> np.ndarray:
    action = at_random(view, rng)
    action[..., [0, 2]] = -1.0
    return action


def by_rule(view: View, rng: np.random.Generator) -> np.ndarray:
    observation = view.problem.observe(view.state, view.exogenous)
    return CheapestCut(view.problem).act(observation, view)


ACTORS = (at_random, at_the_borders, all_to_slow_units, by_rule)


def each_in_its_own_way(view: View, rng: np.random.Generator) -> np.ndarray:
    """Returns the actions of as many lanes as there are actors, each decided by another one."""
    return np.stack([actor(view, rng)[lane] for lane, actor in enumerate(ACTORS)])


@dataclass(frozen=True, kw_only=True)
class Step:
    """A point of all lanes: those that have not ended, what was decided, and what came of it."""

    goes_on: list[int]
    view: View
    action: np.ndarray
    following: State
    outcome: Outcome


def played(problem: TaskDiversion, nature: Exogenous, actor: Actor, seed: int) -> Iterator[Step]:
    rng, rows = np.random.default_rng(seed), np.arange(len(nature.seat))
    state = problem.initial_state((len(rows),))
    point = problem.next_point(state, nature, np.zeros(len(rows), dtype=int))
    while (point < problem.episode_points).any():
        exogenous = map_arrays(lambda a, at=(rows, point): a[at], nature)
        view = View(problem=problem, state=state, exogenous=exogenous)
        action = actor(view, rng)
        state, outcome = problem.transition(state, action, exogenous)
        goes_on = np.flatnonzero(point < problem.episode_points).tolist()
        yield Step(goes_on=goes_on, view=view, action=action, following=state, outcome=outcome)
        point = problem.next_point(state, nature, np.minimum(point + 1, problem.episode_points))


# Episodes as a simulator has them -------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Task:
    """A task as its vehicle releases it; `links` are the units in reach with their rates, the nearest first."""

    slot: int
    seat: int
    vehicle: int
    now_s: float
    dnn: int
    deadline_s: float
    links: list[tuple[int, float]]
    luck: float


class Simulator:
    """One episode, task by task, in plain numbers."""

    def __init__(self, problem: TaskDiversion, luck: Luck, traffic: TrafficBlock) -> None:
        self.p, self.luck, self.traffic = problem, luck, traffic
        self.free = [0.0] * problem.num_rsus
        self.ends: list[list[float]] = [[] for _ in self.free]
        self.index = list(self.free)
        self.brought: dict[int, float] = {}
        self.level: dict[int, float] = {}
        self.ready: dict[int, float] = {}
        self._tasks = self._released()
        self.task = next(self._tasks, None)

    def _released(self) -> Iterator[Task]:
        """Yields the tasks as time goes on; a unit's index is broadcast at the beginning of a slot."""
        p, vehicle_of = self.p, self.traffic.client_vehicle
        for slot in range(p.episode_slots):
            now_s = slot * p.slot_s
            if slot % p.broadcast_slots == 0:
                self.index = [max(free - now_s, 0.0) for free in self.free]
            here = [seat for seat in range(p.num_client_vehicles) if vehicle_of[slot, seat] >= 0]
            here.sort(key=lambda seat: self.luck.order[slot, seat])
            for turn, seat in enumerate(here):
                released = self.luck.release[slot, seat] < p.release_rate_hz * p.slot_s or slot == turn == 0
                runs = self.ready.get(int(vehicle_of[slot, seat]), 0.0) > now_s
                if released and (p.overlap or not runs):
                    yield self._task(slot, seat)

    def _task(self, slot: int, seat: int) -> Task:
        p, luck = self.p, self.luck
        vehicle = int(self.traffic.client_vehicle[slot, seat])
        entry = int(np.argwhere(self.traffic.client_vehicle[:, seat] == vehicle)[0, 0])
        self.brought[vehicle] = p.battery[0] + (p.battery[1] - p.battery[0]) * luck.battery[entry, seat]
        self.level.setdefault(vehicle, self.brought[vehicle])
        dnn = int(luck.dnn[slot, seat] * len(p.profiles))
        factor = p.deadline_factor[0] + (p.deadline_factor[1] - p.deadline_factor[0]) * luck.deadline[slot, seat]
        return Task(
            slot=slot,
            seat=seat,
            vehicle=vehicle,
            now_s=slot * p.slot_s,
            dnn=dnn,
            deadline_s=factor * self._work(dnn) / p.vehicle_ghz,
            links=self._links(slot, seat),
            luck=luck.diversion[slot, seat],
        )

    def _links(self, slot: int, seat: int) -> list[tuple[int, float]]:
        p, (x, y) = self.p, self.traffic.client_xy_m[slot, seat]
        links = []
        for unit in range(p.num_rsus):
            unit_x = (unit - (p.num_rsus - 1) / 2) * p.rsu_spacing_m
            distance_m = hypot(hypot(x - unit_x, y - ROAD.rsu_xyz_m[1]), ROAD.rsu_xyz_m[2])
            gain = 10.0 ** ((-38.4 - 21.0 * log10(distance_m)) / 10.0)
            snr = p.transmit_power_w * gain * self.luck.fading_power[slot, seat, unit] / p.noise_w
            links.append((distance_m, unit, p.bandwidth_mhz * log2(1.0 + snr)))
        return [(unit, rate) for distance_m, unit, rate in sorted(links)[:2] if distance_m <= p.rsu_range_m]

    def _asked(self, task: Task, wish: int) -> int | None:
        """Returns which of the units in reach is asked."""
        if len(task.links) < 2:
            return 0 if task.links else None
        if self.p.diversion in ("nearest", "chosen"):
            return wish if self.p.diversion == "chosen" else 0
        largest = max(self._tensors(task.dnn))
        first, second = (largest / rate + self.index[unit] for unit, rate in task.links)
        if self.p.diversion == "shortest":
            return int(second < first)
        return 0 if task.luck < second / (first + second) else 1

    def _tensors(self, dnn: int) -> list[float]:
        dnn_profile = self.p.profiles[dnn]
        return [dnn_profile.input_mbit, *(layer.output_mbit for layer in dnn_profile.layers[:-1])]

    def _weight(self, level: float) -> float:
        if not self.p.battery_factor:
            return 1.0
        return 3.0 if level <= 1.0 / 3.0 else 1.0 / level

    def _work(self, dnn: int) -> float:
        return sum(layer.gflops for layer in self.p.profiles[dnn].layers)

    def _least_price(self, weight: float, most_ghz: float) -> float:
        """Returns the least time and energy of a Gcycle: where the slopes of both are the same, or at a bound."""
        energy = weight * self.p.beta * self.p.kappa_j_per_gcycle_ghz2
        ghz = min(max((2.0 * energy) ** (-1.0 / 3.0), self.p.min_ghz), most_ghz) if energy else most_ghz
        return 1.0 / ghz + energy * ghz**2

    def _saved(self, task: Task) -> float:
        """Returns what the task costs less at an idle unit right here than at the vehicle."""
        own = self._least_price(self._weight(self.level[task.vehicle]), self.p.vehicle_ghz)
        return self._work(task.dnn) * (own - self._least_price(1.0, self.p.rsu_ghz))

    def observation(self) -> list[float]:
        task = self.task
        assert task
        p, level = self.p, self.level[task.vehicle]
        x, speed = (getattr(self.traffic, f"client_{name}")[task.slot, task.seat] for name in ("xy_m", "speed_mps"))
        seen = [x[0] / 1000, speed / 20, *(float(k == task.dnn) for k in range(len(p.profiles)))]
        seen += [task.deadline_s / 10, level, p.vehicle_ghz / 10, p.rsu_ghz / 10]
        if p.diversion == "chosen":
            asked: list[int | None] = [0 if task.links else None, 1 if len(task.links) > 1 else None]
        else:
            asked = [self._asked(task, 0)]
        seen += [number for link in asked for number in self._seen_of(task, link)]
        if p.observation == "paper":
            return seen
        broadcast = [self.index[unit] / 10 for unit, _ in task.links] + [0.0, 0.0]
        seen += [self._work(task.dnn) / 10, p.profiles[task.dnn].input_mbit / 10, self._weight(level)]
        return [*seen, self._saved(task) / 2, *broadcast[:2], float(len(task.links) == 2)]

    def _seen_of(self, task: Task, link: int | None) -> list[float]:
        paper = self.p.observation == "paper"
        if link is None:
            return [0.0] * (4 if paper else 7)
        unit, rate = task.links[link]
        waiting, wait_s = sum(end > task.now_s for end in self.ends[unit]), max(self.free[unit] - task.now_s, 0.0)
        seen = [1.0, rate / 200, wait_s / 10, min(waiting, 32) / 4]
        share = min(wait_s * self.p.vehicle_ghz / self._work(task.dnn), 2.0)
        saved = self._saved(task) - wait_s - self._tensors(task.dnn)[0] / rate
        work, data = [layer.gflops for layer in self.p.profiles[task.dnn].layers], self._tensors(task.dnn)
        reached = [
            cut
            for cut in range(len(work) + 1)
            if sum(work[:cut]) / self.p.vehicle_ghz + (data[cut] / rate if cut < len(work) else 0.0) <= wait_s
        ]
        return seen if paper else [*seen, share, saved / 2, max(reached, default=0) / len(work)]

    def decide(self, action: np.ndarray) -> dict[str, float]:
        """Returns what comes of the task, and goes on to the next."""
        task = self.task
        assert task
        p, level = self.p, self.level[task.vehicle]
        work = [layer.gflops for layer in p.profiles[task.dnn].layers]
        asked = self._asked(task, int(len(action) > 3 and action[3] >= 0.0))
        share = [(float(number) + 1.0) / 2.0 for number in action]
        cut = len(work) if asked is None else round(share[0] * len(work))
        own_ghz = p.min_ghz + share[1] * (p.vehicle_ghz - p.min_ghz)
        unit_ghz = p.min_ghz + share[2] * (p.rsu_ghz - p.min_ghz)
        local_s = sum(work[:cut]) / own_ghz
        done_s, own_j, unit_j = task.now_s + local_s, p.kappa_j_per_gcycle_ghz2 * sum(work[:cut]) * own_ghz**2, 0.0
        unit = -1 if asked is None else task.links[asked][0]
        queue_s = 0.0 if asked is None else max(self.free[unit] - task.now_s, 0.0)
        if asked is not None and cut < len(work):
            send_s = self._tensors(task.dnn)[cut] / task.links[asked][1]
            own_j += send_s * p.transmit_power_w
            unit_j = p.kappa_j_per_gcycle_ghz2 * sum(work[cut:]) * unit_ghz**2
            done_s = max(self.free[unit], done_s + send_s) + sum(work[cut:]) / unit_ghz
            self.free[unit] = done_s
            self.ends[unit].append(done_s)
        self.ready[task.vehicle] = task.now_s + local_s
        energy_j, time_s = self._weight(level) * own_j + unit_j, done_s - task.now_s
        left = level - own_j / (1000.0 * p.battery_capacity_kj)
        self.level[task.vehicle] = max(left, p.battery_floor) if level > p.battery_floor else level
        failed = p.on_leaving == "fail" and cut < len(work) and done_s > self._leaves_s(task)
        cost, missed = time_s + p.beta * energy_j, time_s > task.deadline_s
        own_s = self._least_price(self._weight(self.brought[task.vehicle]), p.vehicle_ghz)
        least_s = sum(work) * min(own_s, self._least_price(1.0, p.rsu_ghz))
        earned = (least_s if p.reward == "excess" else 0.0) - cost
        self.task = next(self._tasks, None)
        return {
            "time_s": time_s, "energy_j": energy_j, "cost": cost, "missed": missed, "local_s": local_s,
            "vehicle_energy_j": own_j, "rsu_energy_j": unit_j, "cut": cut, "unit": unit, "offloaded": cut < len(work),
            "failed": failed, "queue_s": queue_s, "battery": level, "vehicle_ghz": own_ghz, "rsu_ghz": unit_ghz,
            "dnn": task.dnn, "reward": earned - p.deadline_penalty * (missed or failed),
        }  # fmt: skip

    def _leaves_s(self, task: Task) -> float:
        last = int(np.argwhere(self.traffic.client_vehicle == task.vehicle)[:, 0].max())
        return inf if last == self.p.episode_slots else (last + 1) * self.p.slot_s


OPTIONS: dict[str, dict[str, Any]] = {
    "as in the paper": {},
    "the library's DNNs": {"dnns": ("alexnet", "vgg16", "nin", "tinyyolov2"), "battery_capacity_kj": 10.0},
    "busy": {"release_rate_hz": 1.0, "num_client_vehicles": 9},
    "overlap": {"release_rate_hz": 1.0, "overlap": True},
    "stale broadcasts": {"broadcast_slots": 3, "release_rate_hz": 1.0},
    "one broadcast": {"broadcast_slots": 50, "diversion": "shortest"},
    "lost tasks": {"on_leaving": "fail", "deadline_penalty": 7.0},
    "shortest": {"diversion": "shortest"},
    "nearest": {"diversion": "nearest"},
    "chosen": {"diversion": "chosen"},
    "chosen, paper": {"diversion": "chosen", "observation": "paper", "rsu_range_m": 300.0},
    "one unit": {"num_rsus": 1, "rsu_range_m": 1e4, "release_rate_hz": 1.0, "num_client_vehicles": 9},
    "one unit, chosen": {"num_rsus": 1, "diversion": "chosen", "release_rate_hz": 1.0},
    "seldom in range": {"num_rsus": 2, "rsu_range_m": 200.0, "observation": "paper"},
    "never in range": {"rsu_range_m": 1.0},
    "short slots": {"slot_s": 0.25, "broadcast_slots": 4, "release_rate_hz": 3.0},
    "small batteries": {"battery_capacity_kj": 0.05, "battery": (0.005, 0.5), "battery_floor": 0.01},
    "no battery factor": {"battery_factor": False, "beta": 0.02, "reward": "excess"},
    "excess": {"reward": "excess", "beta": 3e-3},
    "energy is free": {"beta": 0.0},
    "one vehicle": {"num_client_vehicles": 1, "release_rate_hz": 1.0},
    "one slot": {"episode_slots": 1},
    "other numbers": {"vehicle_ghz": 2.0, "rsu_ghz": 11.0, "min_ghz": 1.5, "deadline_factor": (0.5, 0.9),
                      "bandwidth_mhz": 5.0, "transmit_power_w": 1.0, "noise_w": 1e-12, "rsu_spacing_m": 300.0},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_an_episode_is_that_of_the_simulator(name: str) -> None:
    problem = problem_of(**OPTIONS[name])
    luck, traffic, nature = drawn(problem, list(OPTIONS).index(name), lanes=len(ACTORS))
    simulators = [Simulator(problem, *of_lane) for of_lane in zip(luck, traffic, strict=True)]
    for step in played(problem, nature, each_in_its_own_way, seed=1):
        assert step.goes_on == [lane for lane, simulator in enumerate(simulators) if simulator.task]
        seen = problem.observe(step.view.state, step.view.exogenous)
        for lane in step.goes_on:
            np.testing.assert_allclose(seen[lane, 0], simulators[lane].observation(), rtol=1e-6, atol=1e-6)
            assert_is(step.outcome, lane, simulators[lane].decide(step.action[lane, 0]))
            assert_state_is(step.following, lane, simulators[lane], traffic[lane])
    assert not any(simulator.task for simulator in simulators)


def assert_is(outcome: Outcome, lane: int, expected: dict[str, float]) -> None:
    of_task = {f.name for f in fields(outcome.task)}
    for name, value in expected.items():
        found = getattr(outcome.task if name in of_task else outcome, name)[lane]
        assert found == pytest.approx(value, rel=1e-9, abs=1e-9), name


def assert_state_is(state: State, lane: int, simulator: Simulator, traffic: TrafficBlock) -> None:
    np.testing.assert_allclose(state.rsu_free_s[lane], simulator.free, rtol=1e-9)
    for seat, vehicle in enumerate(state.holder[lane].tolist()):
        if vehicle >= 0:
            assert vehicle in traffic.client_vehicle[:, seat]
            assert state.battery[lane, seat] == pytest.approx(simulator.level[vehicle], rel=1e-9)
            assert state.vehicle_free_s[lane, seat] == pytest.approx(simulator.ready[vehicle], rel=1e-9)


# What holds in every episode ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, repr=False)
class Episode:
    """An episode of one lane: the numbers of its tasks, in the order of their decision."""

    problem: TaskDiversion
    traffic: TrafficBlock
    tasks: list[dict[str, Any]]
    last: State

    def __repr__(self) -> str:
        return f"{len(self.tasks)} tasks of {self.problem}"


def episode(seed: int) -> Episode:
    """Returns a random episode of a random problem, with random decisions."""
    rng = np.random.default_rng(seed)
    problem = problem_of(
        overlap=bool(rng.random() < 0.3),
        diversion=str(rng.choice(["probability", "shortest", "nearest", "chosen"])),
        broadcast_slots=int(rng.integers(1, 4)),
        num_rsus=int(rng.integers(1, 6)),
        rsu_range_m=float(rng.uniform(100.0, 900.0)),
        release_rate_hz=float(rng.uniform(0.1, 1.0)),
        battery_capacity_kj=float(10.0 ** rng.uniform(-1.0, 2.0)),
        battery_factor=bool(rng.random() < 0.8),
    )
    _, traffic, nature = drawn(problem, seed, lanes=1)
    tasks, last = [], problem.initial_state((1,))
    for step in played(problem, nature, ACTORS[int(rng.integers(3))], seed):
        records = (step.view.exogenous, step.outcome.task, step.outcome)
        numbers = {f.name: getattr(record, f.name) for record in records for f in fields(record) if f.name != "task"}
        nearest, state = step.view.exogenous.unit[0], step.view.state
        tasks.append({name: value[0] for name, value in numbers.items()} | {"nearest": nearest, "state": state})
        last = step.following
    return Episode(problem=problem, traffic=traffic[0], tasks=tasks, last=last)


EPISODES = st.integers(0, 2**32 - 1).map(episode)
common = settings(max_examples=8)


def by(key: str, tasks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Returns the tasks with the same entry, in their order."""
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for task in tasks:
        groups[int(task[key])].append(task)
    return list(groups.values())


@common
@given(EPISODES)
def test_a_unit_serves_one_task_at_a_time_in_the_order_of_decision_and_idles_for_none(played_out: Episode) -> None:
    free_s = [0.0] * played_out.problem.num_rsus
    for task in played_out.tasks:
        if not task["offloaded"]:
            continue
        starts_s, unit = task["release_s"] + task["start_s"], task["unit"]
        arrives_s = task["release_s"] + task["local_s"] + task["transmit_s"]
        assert starts_s == pytest.approx(max(free_s[unit], arrives_s), rel=1e-9, abs=1e-9)
        free_s[unit] = starts_s + task["rsu_service_s"]
    np.testing.assert_allclose(played_out.last.rsu_free_s[0], free_s, rtol=1e-9)


@common
@given(EPISODES)
def test_a_unit_is_asked_only_in_range_and_serves_only_what_is_sent(played_out: Episode) -> None:
    for task in played_out.tasks:
        asked = task["unit"] >= 0
        assert asked == (task["rate_mbps"] > 0.0).any()
        assert not asked or task["unit"] in task["nearest"]
        assert task["offloaded"] <= asked
        assert (task["rsu_service_s"] > 0.0) <= task["offloaded"]
        assert (task["transmit_s"] > 0.0) <= task["offloaded"]


@common
@given(EPISODES)
def test_a_battery_loses_exactly_what_its_vehicle_spends_down_to_the_floor(played_out: Episode) -> None:
    problem, last = played_out.problem, played_out.last
    for tasks in by("vehicle", played_out.tasks):
        level = first = tasks[0]["battery"]
        for task in tasks:
            assert task["battery"] == pytest.approx(level, rel=1e-12)
            level -= task["vehicle_energy_j"] / (1000.0 * problem.battery_capacity_kj)
            level = max(level, min(problem.battery_floor, task["battery"]))
        seat, spent_j = tasks[0]["seat"], sum(task["vehicle_energy_j"] for task in tasks)
        if last.holder[0, seat] == tasks[0]["vehicle"]:
            assert last.battery[0, seat] == pytest.approx(level, rel=1e-12)
        if level > problem.battery_floor:
            assert first - level == pytest.approx(spent_j / (1000.0 * problem.battery_capacity_kj), abs=1e-9)


@common
@given(EPISODES)
def test_local_runs_of_a_vehicle_overlap_only_where_they_may(played_out: Episode) -> None:
    if played_out.problem.overlap:
        return
    for tasks in by("vehicle", played_out.tasks):
        for task, following in pairwise(tasks):
            assert following["release_s"] >= task["release_s"] + task["local_s"]


@common
@given(EPISODES)
def test_a_new_vehicle_in_a_seat_is_idle_and_brings_its_own_level(played_out: Episode) -> None:
    low, high = played_out.problem.battery
    levels = []
    for tasks in by("vehicle", played_out.tasks):
        slot, seat = int(tasks[0]["slot"]), int(tasks[0]["seat"])
        assert {task["seat"] for task in tasks} == {seat}
        assert all(played_out.traffic.client_vehicle[task["slot"], seat] == task["vehicle"] for task in tasks)
        assert tasks[0]["state"].holder[0, seat] != played_out.traffic.client_vehicle[slot, seat]
        levels.append(tasks[0]["battery"])
        assert low <= levels[-1] <= high
    assert len(set(levels)) == len(levels)


@common
@given(EPISODES)
def test_times_and_energies_are_the_sum_of_their_parts(played_out: Episode) -> None:
    problem = played_out.problem
    for task in played_out.tasks:
        weight = min(1.0 / task["battery"], 3.0) if problem.battery_factor else 1.0
        parts_j = weight * task["vehicle_energy_j"] + task["rsu_energy_j"]
        wait_s = task["start_s"] - task["local_s"] - task["transmit_s"]
        assert wait_s >= -1e-9
        assert wait_s <= task["queue_s"] + 1e-9
        assert task["time_s"] == pytest.approx(task["start_s"] + task["rsu_service_s"], rel=1e-12)
        assert task["energy_j"] == pytest.approx(parts_j, rel=1e-12)
        assert task["cost"] == pytest.approx(task["time_s"] + problem.beta * task["energy_j"], rel=1e-12)


@common
@given(EPISODES)
def test_points_are_in_the_order_of_time_and_begin_with_the_first_slot(played_out: Episode) -> None:
    slots = [int(task["slot"]) for task in played_out.tasks]
    assert slots[0] == 0
    assert slots == sorted(slots)
    assert slots[-1] < played_out.problem.episode_slots
    turns = [(task["slot"], task["seat"]) for task in played_out.tasks]
    assert len(set(turns)) == len(turns)


def test_vehicles_run_tasks_at_once_where_they_may_overlap() -> None:
    problem = problem_of(overlap=True, release_rate_hz=1.0, rsu_range_m=1.0)
    steps = list(played(problem, drawn(problem, 0, lanes=1)[2], at_random, 0))
    assert len(steps) > 2 * len(list(played(problem_of(rsu_range_m=1.0), drawn(problem, 0, lanes=1)[2], at_random, 0)))
    assert any(step.view.state.vehicle_free_s.max() > step.view.exogenous.release_s[0] + 1.0 for step in steps)


def test_a_queue_longer_than_what_is_remembered_is_seen_as_that() -> None:
    problem = problem_of(num_rsus=1, rsu_range_m=1e4, release_rate_hz=1.0, observation="paper", episode_slots=20)
    views = [step.view for step in played(problem, drawn(problem, 0, lanes=1)[2], all_to_slow_units, 0)]
    lengths = [int(problem.request(view.state, view.exogenous).length[0]) for view in views]
    assert max(lengths) == lengths[-1] == 32
    assert len(views) > 2 * 32


def test_an_empty_battery_stays_at_the_floor_and_one_below_it_where_it_is() -> None:
    problem = problem_of(battery_capacity_kj=0.01, battery=(0.005, 0.5), battery_floor=0.01)
    brought: dict[int, float] = {}
    for step in played(problem, drawn(problem, 5, lanes=1)[2], at_random, 5):
        exogenous, seat = step.view.exogenous, step.view.exogenous.seat[0]
        brought[int(exogenous.vehicle[0])] = float(exogenous.battery[0])
        assert step.following.battery[0, seat] >= min(brought[int(exogenous.vehicle[0])], 0.01)
    levels = {vehicle: step.following.battery[0, seat] for seat, vehicle in enumerate(step.following.holder[0])}
    below = [vehicle for vehicle in levels if brought[int(vehicle)] < 0.01]
    assert all(levels[vehicle] == brought[int(vehicle)] for vehicle in below)
    assert list(levels.values()).count(0.01) >= 3
