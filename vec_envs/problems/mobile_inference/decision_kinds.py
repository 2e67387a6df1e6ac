"""The kinds of decisions of `MobileInference`: where a task runs, and whether its DNN is cut."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from vec_envs.problems.mobile_inference.actions import WAIT, StartActions
from vec_envs.problems.mobile_inference.dynamics import decides
from vec_envs.problems.mobile_inference.records import Exogenous, State


def decision_kinds(
    starts: StartActions,
    num_rsus: int,
    state: State,
    action: Int[np.ndarray, "*batch clients"],
    exogenous: Exogenous,
) -> dict[str, Bool[np.ndarray, "*batch clients"]]:
    """Returns which clients start a task, by kind. A start whose DNN is cut is counted at its node too."""
    cut, node = starts.cut_and_node(action, state.waiting_type)
    access = exogenous.v2i_efficiency.argmax(axis=-1)
    begins = decides(state) & (action != WAIT)
    at_unit = begins & (node >= 0) & (node < num_rsus)
    return {
        "all layers at the client": begins & (node < 0),
        "at the unit heard best": at_unit & (node == access),
        "at another unit": at_unit & (node != access),
        "at a service vehicle": begins & (node >= num_rsus),
        "cut between layers": begins & (node >= 0) & (cut > 0),
    }
