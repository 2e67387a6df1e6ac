"""B lanes of one problem: state, traffic and seeds, with partial reset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from vec_envs.mobility.traffic import Mobility, TrafficBlock, TrafficError
from vec_envs.problems.problem import Outcome, Problem, TurnProblem, View, action_shape
from vec_envs.records import map_arrays, stack, with_rows
from vec_envs.validation import count


@dataclass(kw_only=True)
class _Seeding:
    """A lane's sources of randomness: a stream of traffic, and a generator for all else that nature decides."""

    seed: int
    rng: np.random.Generator
    traffic: Iterator[TrafficBlock]
    episodes: int


class Lanes:
    """Lanes that step together and reset one by one.

    A lane is a pure function of its seed: what the other lanes do changes nothing in it. Its point is counted from 0; a
    lane has ended when its point is `problem.episode_points`, and must be reset before it is stepped again.
    """

    def __init__(self, problem: Problem, mobility: Mobility, num_lanes: int) -> None:
        self.problem = problem
        self._turns = cast(TurnProblem, problem) if problem.one_at_a_time else None
        self.mobility = mobility
        self.num_lanes = num_lanes
        self.point: Int[np.ndarray, "lanes"] = np.full(num_lanes, problem.episode_points)
        self.state: Any = problem.initial_state((num_lanes,))
        self.last_action: Shaped[np.ndarray, "lanes ..."] | None = None
        self.last_outcome: Outcome | None = None
        self._nature: Any = None
        self._seeding: list[_Seeding | None] = [None] * num_lanes
        self._point_of_all: int | None = problem.episode_points
        self._now: Any = None

    @property
    def exogenous(self) -> Any:
        """What nature decided for the present point of each lane. Raises `RuntimeError` before the first reset."""
        if self._nature is None:
            raise RuntimeError("no episode is running: call reset() first")
        if self._now is None:
            together = (slice(None), self._point_of_all)
            where = (np.arange(self.num_lanes), self.point) if self._point_of_all is None else together
            self._now = map_arrays(lambda a: a[where], self._nature)
        return self._now

    def exogenous_at(self, point: Int[np.ndarray, "lanes"]) -> Any:
        """Returns what nature decided for other points than the present."""
        rows = np.arange(self.num_lanes)
        return map_arrays(lambda a: a[rows, point], self._nature)

    def episode(self, row: int) -> Any:
        """Returns what nature decided for all points of a lane's episode; the points are the record's lanes."""
        return map_arrays(lambda a: a[row], self._nature)

    def next_point(self, point: Int[np.ndarray, "lanes"]) -> Int[np.ndarray, "lanes"]:
        """Returns the first points from there on that come about as things stand."""
        return point if self._turns is None else self._turns.next_point(self.state, self._nature, point)

    @property
    def num_streams(self) -> int:
        """Rows of decisions: what one changes is seen along its row. One where agents decide together."""
        return 1 if self._turns is None else self._turns.num_streams

    @property
    def stream(self) -> Int[np.ndarray, "lanes"]:
        """The row in which each lane's present point stands; -1 where nothing is decided."""
        together = np.zeros(self.num_lanes, dtype=np.int64)
        return together if self._turns is None else self._turns.stream(self.state, self.exogenous)

    def stream_of(self, outcome: Outcome) -> Int[np.ndarray, "lanes"]:
        """Returns the row that each lane's decision has changed; -1 where it changed none."""
        together = np.zeros(self.num_lanes, dtype=np.int64)
        return together if self._turns is None else self._turns.stream_of(outcome)

    @property
    def view(self) -> View:
        """The present point, for reference policies."""
        return View(problem=self.problem, state=self.state, exogenous=self.exogenous)

    @property
    def begun(self) -> bool:
        """Whether the lanes have been reset at all."""
        return self._nature is not None

    @property
    def ended(self) -> Bool[np.ndarray, "lanes"]:
        """Which lanes have no point left."""
        return self.point >= self.problem.episode_points

    def observe(self) -> Float32[np.ndarray, "lanes deciders features"]:
        """Returns the deciding agents' observations of the present point."""
        return self.problem.observe(self.state, self.exogenous)

    def reset(self, rows: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Starts a new episode in the lanes `rows`.

        A seed starts the lane's sources of randomness anew; None lets them run on (or seeds a new lane from the
        operating system). Raises `TrafficError` where the traffic cannot serve an episode.
        """
        for seed in seeds:
            if seed is not None:
                count(0, seed=seed)
        ordered = sorted(zip(rows, seeds, strict=True), key=lambda pair: pair[0])
        rows = [row for row, _ in ordered]
        for row, seed in ordered:
            if seed is not None or self._seeding[row] is None:
                self._seeding[row] = self._seed(fresh_seed() if seed is None else seed)
        sources = [source for row in rows if (source := self._seeding[row]) is not None]
        traffic = self._next_blocks(sources)
        luck = stack([self.problem.sample(source.rng) for source in sources])
        nature = self.problem.nature(luck, traffic, self.mobility.road)
        for source in sources:
            source.episodes += 1
        self._begin(np.asarray(rows), nature)

    def _next_blocks(self, sources: Sequence[_Seeding]) -> TrafficBlock:
        """Returns the sources' next blocks. Where one fails, all streams are as before: a later call tries again."""
        try:
            return self._checked(stack([next(source.traffic) for source in sources]))
        except BaseException as error:
            for source in sources:
                source.traffic = self._traffic(source.seed, source.episodes)
            if isinstance(error, StopIteration):
                raise TrafficError("the mobility's blocks ended; a stream of traffic must be endless") from error
            raise

    def _checked(self, traffic: TrafficBlock) -> TrafficBlock:
        """Returns the traffic of some lanes. Raises `TrafficError` naming what is not as it was asked for."""
        shape = self.problem.traffic_shape
        for role, vehicles in (("client", shape.num_client_vehicles), ("service", shape.num_service_vehicles)):
            for what, tail in (("xy_m", (2,)), ("position_m", ()), ("speed_mps", ()), ("vehicle", ())):
                name = f"{role}_{what}"
                array, wanted = getattr(traffic, name), (shape.num_slots, vehicles, *tail)
                if array.shape[1:] != wanted:
                    raise TrafficError(f"{name} of a traffic block has shape {array.shape[1:]}, asked for is {wanted}")
                if not np.isfinite(array).all():
                    raise TrafficError(f"{name} of a traffic block holds values that are not finite")
            held = getattr(traffic, f"{role}_vehicle") >= 0
            if not (held[:, 0] if shape.come_and_go else held).all():
                raise TrafficError(f"{role}_vehicle of a traffic block has empty seats where all must be held")
        return traffic

    def step(self, action: Shaped[np.ndarray, "..."]) -> Outcome:
        """Moves every lane on by a point, ended ones excepted, which stay as they are; returns what it brought.

        The outcome's rows of ended lanes mean nothing. Raises `ValueError` for an action of wrong shape, type or range.
        """
        lanes, agents, *numbers = wanted = (self.num_lanes, *action_shape(self.problem))
        if action.shape != wanted:
            each = f" with {numbers[0]} numbers each" if numbers else ""
            raise ValueError(f"actions of {lanes} lanes of {agents} agents{each} are needed, got shape {action.shape}")
        following, outcome = self.problem.transition(self.state, action, self.exogenous)
        goes_on = ~self.ended
        together = self._point_of_all
        if np.logical_and.reduce(goes_on):
            together = None if together is None else together + 1
        else:
            rows = np.flatnonzero(goes_on)
            following = with_rows(self.state, rows, map_arrays(lambda a: a[rows], following))
        self.state = following
        self._go_to(self.point + goes_on, together)
        self.last_action, self.last_outcome = action.copy(), outcome
        return outcome

    def _go_to(self, point: Int[np.ndarray, "lanes"], point_of_all: int | None) -> None:
        """Moves the lanes to the first points from there on that come about."""
        self.point = self.next_point(point)
        self._point_of_all = point_of_all if self.point is point else None
        self._now = None

    def snapshot(self) -> list[dict[str, Any]]:
        """Returns what brings the lanes back to here, where all are between two episodes: plain, JSON-able values."""
        return [
            {"seed": s.seed, "episodes": s.episodes, "rng": s.rng.bit_generator.state}
            for s in self._seeding
            if s is not None
        ]

    def restore(self, snapshot: Sequence[dict[str, Any]]) -> None:
        """Brings the lanes' sources of randomness back to a snapshot; the next `reset` goes on from there."""
        for row, saved in enumerate(snapshot):
            source = self._seed(saved["seed"], start=saved["episodes"])
            source.rng.bit_generator.state = saved["rng"]
            self._seeding[row] = source

    def _seed(self, seed: int, start: int = 0) -> _Seeding:
        of_nature = np.random.SeedSequence(seed).spawn(2)[0]
        rng = np.random.Generator(np.random.PCG64(of_nature))
        return _Seeding(seed=seed, rng=rng, traffic=self._traffic(seed, start), episodes=start)

    def _traffic(self, seed: int, start: int) -> Iterator[TrafficBlock]:
        of_traffic = np.random.SeedSequence(seed).spawn(2)[1]
        traffic_seed = int(of_traffic.generate_state(1, np.uint64)[0])
        return iter(self.mobility.blocks(traffic_seed, self.problem.traffic_shape, start=start))

    def _begin(self, rows: np.ndarray, nature: Any) -> None:
        if len(rows) == self.num_lanes:
            self._nature = nature
            self.state = self.problem.initial_state((self.num_lanes,))
            self._go_to(np.zeros(self.num_lanes, dtype=np.int64), 0)
            return
        if self._nature is None:
            raise RuntimeError("the first reset must be of all lanes")
        self._nature = with_rows(self._nature, rows, nature)
        self.state = with_rows(self.state, rows, self.problem.initial_state((len(rows),)))
        point = self.point.copy()
        point[rows] = 0
        self._go_to(point, None)


def fresh_seed() -> int:
    """Returns a seed from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
