"""A slow reference simulator of `TaskDiversion`, in plain numbers and without arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot, inf, log2, log10

import numpy as np

from tests.problems.task_diversion.task_playing import ROAD
from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.task_diversion.problem import Draws, TaskDiversion


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
    diversion_draw: float


class Simulator:
    """One episode, task by task, in plain numbers."""

    def __init__(self, problem: TaskDiversion, draws: Draws, traffic: TrafficBlock) -> None:
        self.p, self.draws, self.traffic = problem, draws, traffic
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
            here.sort(key=lambda seat: self.draws.order[slot, seat])
            for turn, seat in enumerate(here):
                released = self.draws.release[slot, seat] < p.release_rate_hz * p.slot_s or slot == turn == 0
                runs = self.ready.get(int(vehicle_of[slot, seat]), 0.0) > now_s
                if released and (p.overlap or not runs):
                    yield self._task(slot, seat)

    def _task(self, slot: int, seat: int) -> Task:
        p, draws = self.p, self.draws
        vehicle = int(self.traffic.client_vehicle[slot, seat])
        entry = int(np.argwhere(self.traffic.client_vehicle[:, seat] == vehicle)[0, 0])
        self.brought[vehicle] = p.battery[0] + (p.battery[1] - p.battery[0]) * draws.battery[entry, seat]
        self.level.setdefault(vehicle, self.brought[vehicle])
        dnn = int(draws.dnn[slot, seat] * len(p.profiles))
        factor = p.deadline_factor[0] + (p.deadline_factor[1] - p.deadline_factor[0]) * draws.deadline[slot, seat]
        return Task(
            slot=slot,
            seat=seat,
            vehicle=vehicle,
            now_s=slot * p.slot_s,
            dnn=dnn,
            deadline_s=factor * self._work(dnn) / p.vehicle_ghz,
            links=self._links(slot, seat),
            diversion_draw=draws.diversion[slot, seat],
        )

    def _links(self, slot: int, seat: int) -> list[tuple[int, float]]:
        p, (x, y) = self.p, self.traffic.client_xy_m[slot, seat]
        links = []
        for unit in range(p.num_rsus):
            unit_x = (unit - (p.num_rsus - 1) / 2) * p.rsu_spacing_m
            distance_m = hypot(hypot(x - unit_x, y - ROAD.rsu_xyz_m[1]), ROAD.rsu_xyz_m[2])
            gain = 10.0 ** ((-38.4 - 21.0 * log10(distance_m)) / 10.0)
            snr = p.transmit_power_w * gain * self.draws.fading_power[slot, seat, unit] / p.noise_w
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
        return 0 if task.diversion_draw < second / (first + second) else 1

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
        """Returns the cost saved by running the task at an idle unit beside the vehicle instead of on the vehicle."""
        own = self._least_price(self._weight(self.level[task.vehicle]), self.p.vehicle_ghz)
        return self._work(task.dnn) * (own - self._least_price(1.0, self.p.rsu_ghz))

    def observation(self) -> list[float]:
        task = self.task
        assert task
        p, level = self.p, self.level[task.vehicle]
        x, speed = (getattr(self.traffic, f"client_{name}")[task.slot, task.seat] for name in ("xy_m", "speed_mps"))
        features = [x[0] / 1000, speed / 20, *(float(k == task.dnn) for k in range(len(p.profiles)))]
        features += [task.deadline_s / 10, level, p.vehicle_ghz / 10, p.rsu_ghz / 10]
        if p.diversion == "chosen":
            asked: list[int | None] = [0 if task.links else None, 1 if len(task.links) > 1 else None]
        else:
            asked = [self._asked(task, 0)]
        features += [number for link in asked for number in self._seen_of(task, link)]
        if p.observation == "paper":
            return features
        broadcast = [self.index[unit] / 10 for unit, _ in task.links] + [0.0, 0.0]
        features += [self._work(task.dnn) / 10, p.profiles[task.dnn].input_mbit / 10, self._weight(level)]
        return [*features, self._saved(task) / 2, *broadcast[:2], float(len(task.links) == 2)]

    def _seen_of(self, task: Task, link: int | None) -> list[float]:
        paper = self.p.observation == "paper"
        if link is None:
            return [0.0] * (4 if paper else 7)
        unit, rate = task.links[link]
        waiting, wait_s = sum(end > task.now_s for end in self.ends[unit]), max(self.free[unit] - task.now_s, 0.0)
        features = [1.0, rate / 200, wait_s / 10, min(waiting, 32) / 4]
        share = min(wait_s * self.p.vehicle_ghz / self._work(task.dnn), 2.0)
        saved = self._saved(task) - wait_s - self._tensors(task.dnn)[0] / rate
        work, data = [layer.gflops for layer in self.p.profiles[task.dnn].layers], self._tensors(task.dnn)
        reached = [
            cut
            for cut in range(len(work) + 1)
            if sum(work[:cut]) / self.p.vehicle_ghz + (data[cut] / rate if cut < len(work) else 0.0) <= wait_s
        ]
        return features if paper else [*features, share, saved / 2, max(reached, default=0) / len(work)]

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
