"""What the core, the faces and the policies ask of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock


@runtime_checkable
class Outcome(Protocol):
    """What a slot brought, as far as the faces must know."""

    @property
    def reward(self) -> Float[np.ndarray, "*lanes"]: ...


@runtime_checkable
class Problem(Protocol):
    """A decision problem of agents with integer actions, batched over leading lanes.

    `state` and `exogenous` are frozen dataclasses of arrays with the same leading lanes. A slot is: `exogenous`
    decided by nature, `observe`, act, `transition`. Nature is drawn for a whole episode at once, since it does not
    depend on the decisions: `sample` holds all the randomness, `nature` is a pure function of it and of the traffic.
    """

    @property
    def episode_slots(self) -> int: ...
    @property
    def action_counts(self) -> tuple[int, ...]: ...
    @property
    def agent_names(self) -> tuple[str, ...]: ...
    @property
    def observation_size(self) -> int: ...
    @property
    def traffic_shape(self) -> EpisodeShape: ...

    def initial_state(self, lanes: tuple[int, ...]) -> Any: ...
    def sample(self, rng: np.random.Generator) -> Any: ...
    def nature(self, luck: Any, traffic: TrafficBlock, road: Road) -> Any: ...
    def observe(self, state: Any, exogenous: Any) -> Float32[np.ndarray, "*lanes agents features"]: ...
    def action_mask(self) -> Bool[np.ndarray, "agents actions"]: ...
    def transition(
        self, state: Any, action: Int[np.ndarray, "*lanes agents"], exogenous: Any
    ) -> tuple[Any, Outcome]: ...
    def figures(self, next_state: Any, outcome: Any) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class View:
    """What a reference policy may look at: everything about this slot."""

    problem: Any
    state: Any
    exogenous: Any
