"""Slots of played episodes, from which scenes are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.scenes import Decision, PlayedSlot


def decision_of(batch: EnvironmentBatch, action: np.ndarray) -> Decision:
    """Returns the present decision of a batch of one environment."""
    state, exogenous = batch.state, batch.exogenous
    next_state, outcome = batch.problem.transition(state, action, exogenous)
    return Decision(state=state, action=action, exogenous=exogenous, outcome=outcome, next_state=next_state)


def slot_of(batch: EnvironmentBatch, slot: int, *decisions: Decision, **other: Any) -> PlayedSlot:
    """Returns a slot of the first environment that begins in the present state of the batch."""
    whole = {"state": batch.state, "traffic": batch.traffic(0), "road": batch.mobility.road, **other}
    return PlayedSlot(slot=slot, decisions=decisions, **whole)
