"""B lanes of one problem: state, traffic and seeds, with partial reset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from vec_envs.mobility.traffic import Mobility, TrafficBlock, TrafficError
from vec_envs.problems.base import Frame, Outcome, Problem, SequentialProblem, View, action_shape
from vec_envs.records import map_arrays, row_of, stack, with_rows
from vec_envs.validation import count


@dataclass(kw_only=True)
class _Seeding:
    """A lane's sources of randomness: a stream of traffic, and a generator for all else that exogenous decides."""

    seed: int
    rng: np.random.Generator
    traffic: Iterator[TrafficBlock]
    episodes: int


class EnvironmentBatch:
    """Environments that step together and reset one by one.

    A lane is a pure function of its seed: what the other lanes do changes nothing in it. Its epoch is counted from 0; a
    lane has ended when its epoch is `problem.episode_epochs`, and must be reset before it is stepped again.
    """

    def __init__(self, problem: Problem, mobility: Mobility, batch_size: int) -> None:
        self.problem = problem
        self._turns = cast(SequentialProblem, problem) if problem.one_at_a_time else None
        self.mobility = mobility
        self.batch_size = batch_size
        self.epoch: Int[np.ndarray, "batch"] = np.full(batch_size, problem.episode_epochs)
        self.state: Any = problem.initial_state((batch_size,))
        self.last_action: Shaped[np.ndarray, "batch ..."] | None = None
        self.last_outcome: Outcome | None = None
        self._episode: Any = None
        self._seeding: list[_Seeding | None] = [None] * batch_size
        self._common_epoch: int | None = problem.episode_epochs
        self._now: Any = None

    @property
    def exogenous(self) -> Any:
        """What exogenous decided for the present epoch of each lane. Raises `RuntimeError` before the first reset."""
        if self._episode is None:
            raise RuntimeError("no episode is running: call reset() first")
        if self._now is None:
            together = (slice(None), self._common_epoch)
            where = (np.arange(self.batch_size), self.epoch) if self._common_epoch is None else together
            self._now = map_arrays(lambda a: a[where], self._episode)
        return self._now

    def exogenous_at(self, epoch: Int[np.ndarray, "batch"]) -> Any:
        """Returns what exogenous decided for other epochs than the present."""
        rows = np.arange(self.batch_size)
        return map_arrays(lambda a: a[rows, epoch], self._episode)

    def episode(self, row: int) -> Any:
        """Returns what exogenous decided for all epochs of a lane's episode; the epochs are the record's lanes."""
        return map_arrays(lambda a: a[row], self._episode)

    def next_epoch(self, epoch: Int[np.ndarray, "batch"]) -> Int[np.ndarray, "batch"]:
        """Returns the first epochs from there on that come about as things stand."""
        return epoch if self._turns is None else self._turns.next_epoch(self.state, self._episode, epoch)

    @property
    def num_chains(self) -> int:
        """Rows of decisions: what one changes is seen along its row. One where agents decide together."""
        return 1 if self._turns is None else self._turns.num_chains

    @property
    def chain(self) -> Int[np.ndarray, "batch"]:
        """The row in which each lane's present epoch stands; -1 where nothing is decided."""
        together = np.zeros(self.batch_size, dtype=np.int64)
        return together if self._turns is None else self._turns.chain(self.state, self.exogenous)

    def chain_of(self, outcome: Outcome) -> Int[np.ndarray, "batch"]:
        """Returns the row that each lane's decision has changed; -1 where it changed none."""
        together = np.zeros(self.batch_size, dtype=np.int64)
        return together if self._turns is None else self._turns.chain_of(outcome)

    @property
    def view(self) -> View:
        """The present epoch, for reference policies."""
        return View(problem=self.problem, state=self.state, exogenous=self.exogenous)

    def frame(self, row: int) -> Frame:
        """Returns the present of one environment, for a drawing. Raises `RuntimeError` before the first reset."""
        first = self.last_outcome is None or self.epoch[row] == 0
        return Frame(
            problem=self.problem,
            road=self.mobility.road,
            state=row_of(self.state, row),
            exogenous=row_of(self.exogenous, row),
            episode=self.episode(row),
            epoch=int(self.epoch[row]),
            ended=bool(self.ended[row]),
            last_action=None if first or self.last_action is None else self.last_action[row],
            last_outcome=None if first else row_of(self.last_outcome, row),
        )

    @property
    def begun(self) -> bool:
        """Whether the lanes have been reset at all."""
        return self._episode is not None

    @property
    def ended(self) -> Bool[np.ndarray, "batch"]:
        """Which lanes have no epoch left."""
        return self.epoch >= self.problem.episode_epochs

    def observe(self) -> Float32[np.ndarray, "batch deciders features"]:
        """Returns the deciding agents' observations of the present epoch."""
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
        draws = stack([self.problem.sample(source.rng) for source in sources])
        exogenous = self.problem.exogenous(draws, traffic, self.mobility.road)
        for source in sources:
            source.episodes += 1
        self._begin(np.asarray(rows), exogenous)

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
        """Moves every lane on by a epoch, ended ones excepted, which stay as they are; returns what it brought.

        The outcome's rows of ended lanes mean nothing. Raises `ValueError` for an action of wrong shape, type or range.
        """
        lanes, agents, *numbers = wanted = (self.batch_size, *action_shape(self.problem))
        if action.shape != wanted:
            each = f" with {numbers[0]} numbers each" if numbers else ""
            raise ValueError(f"actions of {lanes} lanes of {agents} agents{each} are needed, got shape {action.shape}")
        following, outcome = self.problem.transition(self.state, action, self.exogenous)
        goes_on = ~self.ended
        together = self._common_epoch
        if np.logical_and.reduce(goes_on):
            together = None if together is None else together + 1
        else:
            rows = np.flatnonzero(goes_on)
            following = with_rows(self.state, rows, map_arrays(lambda a: a[rows], following))
        self.state = following
        self._go_to(self.epoch + goes_on, together)
        self.last_action, self.last_outcome = action.copy(), outcome
        return outcome

    def _go_to(self, epoch: Int[np.ndarray, "batch"], point_of_all: int | None) -> None:
        """Moves the lanes to the first epochs from there on that come about."""
        self.epoch = self.next_epoch(epoch)
        self._common_epoch = point_of_all if self.epoch is epoch else None
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

    def _begin(self, rows: np.ndarray, exogenous: Any) -> None:
        if len(rows) == self.batch_size:
            self._episode = exogenous
            self.state = self.problem.initial_state((self.batch_size,))
            self._go_to(np.zeros(self.batch_size, dtype=np.int64), 0)
            return
        if self._episode is None:
            raise RuntimeError("the first reset must be of all lanes")
        self._episode = with_rows(self._episode, rows, exogenous)
        self.state = with_rows(self.state, rows, self.problem.initial_state((len(rows),)))
        epoch = self.epoch.copy()
        epoch[rows] = 0
        self._go_to(epoch, None)


def fresh_seed() -> int:
    """Returns a seed from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
