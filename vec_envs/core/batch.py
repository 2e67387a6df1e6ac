"""A batch of environments of one problem: state, traffic and seeds, with resets of some environments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from vec_envs.mobility.block_checks import checked_blocks, is_own
from vec_envs.mobility.traffic import Mobility, TrafficBlock, TrafficError
from vec_envs.problems.base import Frame, Outcome, Problem, SequentialProblem, View, action_shape
from vec_envs.problems.scenes import Decision
from vec_envs.records import map_arrays, row_of, stack, with_rows
from vec_envs.validation import check_integer


@dataclass(kw_only=True)
class _Seeding:
    """The randomness of one environment: a stream of traffic, and a generator for all other exogenous draws."""

    seed: int
    rng: np.random.Generator
    episodes: int
    traffic: Iterator[TrafficBlock] | None = None
    """The open stream, which continues at episode `episodes`; None until it is needed."""


class EnvironmentBatch:
    """Environments of one problem that step together and can be reset one by one.

    Each environment depends on its own seed and actions only, not on the others. Epochs are counted from 0. An
    environment has ended when its epoch is `problem.episode_epochs`; then it stays as it is until it is reset.

    A copy (`copy.deepcopy`, `pickle`) continues exactly as the original would. Streams of traffic are not copied: at
    its next reset, a copy opens its own stream at the same episode.

    Args:
        problem: The problem of all environments.
        mobility: The source of traffic.
        batch_size: The number of environments.
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
        self._last: Decision | None = None
        self._last_of_ended: dict[int, Decision] = {}
        self._has_decided: Bool[np.ndarray, "batch"] = np.zeros(batch_size, dtype=np.bool_)
        self._episode: Any = None
        self._traffic: list[TrafficBlock | None] = [None] * batch_size
        self._seeding: list[_Seeding | None] = [None] * batch_size
        self._common_epoch: int | None = problem.episode_epochs
        self._now: Any = None

    @property
    def exogenous(self) -> Any:
        """The exogenous record of each environment's epoch. Raises `RuntimeError` before the first reset."""
        if self._episode is None:
            raise RuntimeError("no episode is running: call reset() first")
        if self._now is None:
            # A slice is faster than an index array, where all environments are at the same epoch.
            common = (slice(None), self._common_epoch)
            index = (np.arange(self.batch_size), self.epoch) if self._common_epoch is None else common
            self._now = map_arrays(lambda a: a[index], self._episode)
        return self._now

    def exogenous_at(self, epoch: Int[np.ndarray, "batch"]) -> Any:
        """Returns the exogenous record of a given epoch for each environment."""
        rows = np.arange(self.batch_size)
        return map_arrays(lambda a: a[rows, epoch], self._episode)

    def episode(self, row: int) -> Any:
        """Returns the exogenous record of one environment's whole episode, `[epochs, ...]`."""
        return map_arrays(lambda a: a[row], self._episode)

    def traffic(self, row: int) -> TrafficBlock:
        """Returns the traffic of one environment's episode. Raises `RuntimeError` before the first reset."""
        block = self._traffic[row]
        if block is None:
            raise RuntimeError("no episode is running: call reset() first")
        return block

    def next_epoch(self, epoch: Int[np.ndarray, "batch"]) -> Int[np.ndarray, "batch"]:
        """Returns the first epochs from `epoch` on that take place, given the present state."""
        return epoch if self._turns is None else self._turns.next_epoch(self.state, self._episode, epoch)

    @property
    def num_chains(self) -> int:
        """The number of decision chains; 1 where all agents decide at every epoch."""
        return 1 if self._turns is None else self._turns.num_chains

    @property
    def chain(self) -> Int[np.ndarray, "batch"]:
        """The decision chain of each environment's present epoch; -1 where the action has no effect."""
        single_chain = np.zeros(self.batch_size, dtype=np.int64)
        return single_chain if self._turns is None else self._turns.chain(self.state, self.exogenous)

    def chain_of(self, outcome: Outcome) -> Int[np.ndarray, "batch"]:
        """Returns the decision chain that each environment's decision joined; -1 where it joined none."""
        single_chain = np.zeros(self.batch_size, dtype=np.int64)
        return single_chain if self._turns is None else self._turns.chain_of(outcome)

    @property
    def view(self) -> View:
        """The present epoch, for reference policies."""
        return View(problem=self.problem, state=self.state, exogenous=self.exogenous)

    def frame(self, row: int) -> Frame:
        """Returns the present state of one environment, for a drawing. Raises `RuntimeError` before the first reset."""
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

    def last_decision(self, row: int) -> Decision | None:
        """Returns the last decision in one environment's episode, with a batch axis of length 1; None without one."""
        if self._last is None or not self._has_decided[row]:
            return None
        return self._last_of_ended.get(row) or row_of(self._last, slice(row, row + 1))

    @property
    def begun(self) -> bool:
        """Whether the environments have been reset at least once."""
        return self._episode is not None

    @property
    def ended(self) -> Bool[np.ndarray, "batch"]:
        """Which environments have no epoch left."""
        return self.epoch >= self.problem.episode_epochs

    def observe(self) -> Float32[np.ndarray, "batch deciders features"]:
        """Returns the deciding agents' observations of the present epoch."""
        return self.problem.observe(self.state, self.exogenous)

    def reset(self, rows: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Starts a new episode in some environments.

        Args:
            rows: The indices of the environments; the first reset must include all environments.
            seeds: A seed for each. None continues the environment's random numbers; where the environment has never
                been seeded, None takes a seed from the operating system.

        Raises `TrafficError` where the traffic cannot serve an episode.
        """
        for seed in seeds:
            if seed is not None:
                check_integer(0, seed=seed)
        ordered = sorted(zip(rows, seeds, strict=True), key=lambda pair: pair[0])
        rows = [row for row, _ in ordered]
        for row, seed in ordered:
            if seed is not None or self._seeding[row] is None:
                self._seeding[row] = self._seed(fresh_seed() if seed is None else seed)
        sources = [source for row in rows if (source := self._seeding[row]) is not None]
        blocks, traffic = self._next_blocks(sources)
        draws = stack([self.problem.sample(source.rng) for source in sources])
        exogenous = self.problem.exogenous(draws, traffic, self.mobility.road)
        for row, source, block in zip(rows, sources, blocks, strict=True):
            source.episodes += 1
            self._traffic[row] = block
        self._begin(np.asarray(rows), exogenous)

    def _next_blocks(self, sources: Sequence[_Seeding]) -> tuple[list[TrafficBlock], TrafficBlock]:
        """Returns the next block of each source, and all of them stacked.

        After an error all streams are reopened, so that the reset can be retried.
        """
        try:
            blocks = [next(self._open(source)) for source in sources]
            return blocks, self._checked(stack(blocks))
        except BaseException as error:
            for source in sources:
                source.traffic = None
            if isinstance(error, StopIteration):
                raise TrafficError("the blocks of the mobility ended; its stream of traffic must be endless") from error
            raise

    def _checked(self, traffic: TrafficBlock) -> TrafficBlock:
        """Returns the traffic. Raises `TrafficError` with the name of an array of wrong shape or values."""
        shape = self.problem.traffic_shape
        for role, vehicles in (("client", shape.num_client_vehicles), ("service", shape.num_service_vehicles)):
            for what, tail in (("xy_m", (2,)), ("position_m", ()), ("speed_mps", ()), ("vehicle", ())):
                name = f"{role}_{what}"
                array, expected = getattr(traffic, name), (shape.num_slots, vehicles, *tail)
                if array.shape[1:] != expected:
                    raise TrafficError(f"{name} of a traffic block must have shape {expected}, got {array.shape[1:]}")
                if not np.isfinite(array).all():
                    raise TrafficError(f"{name} of a traffic block holds values that are not finite")
            occupied = getattr(traffic, f"{role}_vehicle") >= 0
            if not (occupied[:, 0] if shape.come_and_go else occupied).all():
                when = "in the first slot" if shape.come_and_go else "in every slot"
                raise TrafficError(f"{role}_vehicle of a traffic block must have a vehicle in every seat {when}")
        return traffic

    def step(self, action: Shaped[np.ndarray, "..."]) -> Outcome:
        """Moves every environment to its next epoch and returns the outcome; ended environments stay as they are.

        The outcome's rows of ended environments have no meaning. Raises `ValueError` for an action of wrong shape, type
        or range.
        """
        expected = (self.batch_size, *action_shape(self.problem))
        if action.shape != expected:
            raise ValueError(f"actions must have shape {expected}, got {action.shape}")
        state, exogenous = self.state, self.exogenous
        next_state, outcome = self.problem.transition(state, action, exogenous)
        running = ~self.ended
        common_epoch = self._common_epoch
        if np.logical_and.reduce(running):
            common_epoch = None if common_epoch is None else common_epoch + 1
        else:
            self._keep_last_of(np.flatnonzero(~running))
            rows = np.flatnonzero(running)
            next_state = with_rows(self.state, rows, map_arrays(lambda a: a[rows], next_state))
        self.state = next_state
        self._go_to(self.epoch + running, common_epoch)
        self.last_action, self.last_outcome = action.copy(), outcome
        self._has_decided |= running
        self._last = Decision(
            state=state, action=self.last_action, exogenous=exogenous, outcome=outcome, next_state=next_state
        )
        return outcome

    def _keep_last_of(self, ended: Int[np.ndarray, "rows"]) -> None:
        """Keeps the last decisions of environments that have ended, before a step of the others replaces them."""
        if self._last is not None:
            for row in set(ended.tolist()) - self._last_of_ended.keys():
                self._last_of_ended[row] = row_of(self._last, slice(row, row + 1))

    def _go_to(self, epoch: Int[np.ndarray, "batch"], common_epoch: int | None) -> None:
        """Moves the environments to the first epochs from `epoch` on that take place.

        `common_epoch` is the epoch of all environments, or None where they are at different ones.
        """
        self.epoch = self.next_epoch(epoch)
        self._common_epoch = common_epoch if self.epoch is epoch else None
        self._now = None

    def snapshot(self) -> list[dict[str, Any]]:
        """Returns the state of the random numbers as JSON values, for `restore`; call it between two episodes."""
        return [
            {"seed": s.seed, "episodes": s.episodes, "rng": s.rng.bit_generator.state}
            for s in self._seeding
            if s is not None
        ]

    def restore(self, snapshot: Sequence[dict[str, Any]]) -> None:
        """Restores the random numbers of a snapshot; the next `reset` continues from there."""
        for row, saved in enumerate(snapshot):
            source = self._seed(saved["seed"], start=saved["episodes"])
            source.rng.bit_generator.state = saved["rng"]
            self._seeding[row] = source

    def __getstate__(self) -> dict[str, Any]:
        """Returns all but the open streams of traffic, which cannot be copied."""
        closed = [None if source is None else replace(source, traffic=None) for source in self._seeding]
        return self.__dict__ | {"_seeding": closed}

    def _seed(self, seed: int, start: int = 0) -> _Seeding:
        return _Seeding(seed=seed, rng=_exogenous_rng(seed), episodes=start)

    def _open(self, source: _Seeding) -> Iterator[TrafficBlock]:
        """Returns the source's stream of traffic, opened at its next episode where it is not open."""
        if source.traffic is None:
            of_traffic = np.random.SeedSequence(source.seed).spawn(2)[1]
            traffic_seed = int(of_traffic.generate_state(1, np.uint64)[0])
            open_stream = self.mobility.blocks if is_own(self.mobility) else partial(checked_blocks, self.mobility)
            source.traffic = iter(open_stream(traffic_seed, self.problem.traffic_shape, start=source.episodes))
        return source.traffic

    def _begin(self, rows: np.ndarray, exogenous: Any) -> None:
        self._has_decided[rows] = False
        self._last_of_ended = {row: last for row, last in self._last_of_ended.items() if row not in rows}
        if len(rows) == self.batch_size:
            self._episode = exogenous
            self.state = self.problem.initial_state((self.batch_size,))
            self._go_to(np.zeros(self.batch_size, dtype=np.int64), 0)
            return
        if self._episode is None:
            raise RuntimeError("the first reset must include all environments: call reset() without a mask")
        self._episode = with_rows(self._episode, rows, exogenous)
        self.state = with_rows(self.state, rows, self.problem.initial_state((len(rows),)))
        epoch = self.epoch.copy()
        epoch[rows] = 0
        self._go_to(epoch, None)


def first_draws(problem: Problem, seed: int) -> Any:
    """Returns the random draws of the first episode of an environment that is reset with this seed."""
    return problem.sample(_exogenous_rng(seed))


def _exogenous_rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed).spawn(2)[0]))


def fresh_seed() -> int:
    """Returns a random seed from the operating system."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
