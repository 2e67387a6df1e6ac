"""How long a task takes that is cut between a vehicle and a server: the four parts of its delay.

All arguments are arrays of the same shape, one entry a task; the parts add up to the task's completion time.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

Tasks = Float[np.ndarray, "*batch tasks"]


def local_s(
    backlog_gcycles: Tasks, work_gcycles: Tasks, speed_ghz: Tasks, runs_local: Bool[np.ndarray, "*batch tasks"]
) -> Tasks:
    """Returns the time in s until the vehicle has done its own backlog and its layers; 0 where it has no layer.

    Paper: MAD2RL Eq. (7).
    Paper: RTD Eq. (9).
    """
    return (backlog_gcycles + work_gcycles) / speed_ghz * runs_local


def transmit_s(sent_mbit: Tasks, rate_mbps: Tasks) -> Tasks:
    """Returns the time in s to send the data at the cut; 0 where nothing is sent.

    Paper: MAD2RL Eqs. (4), (5).
    Paper: RTD Eq. (11).
    """
    return np.divide(sent_mbit, rate_mbps, out=np.zeros(rate_mbps.shape), where=sent_mbit > 0.0)


def process_s(
    backlog_gcycles: Tasks, work_gcycles: Tasks, speed_ghz: Tasks, served: Bool[np.ndarray, "*batch tasks"]
) -> Tasks:
    """Returns the time in s until the server has done its backlog and the task's layers; 0 where not served.

    Paper: MAD2RL Eqs. (9), (13).
    Paper: RTD Eq. (13).
    """
    return np.divide(backlog_gcycles + work_gcycles, speed_ghz, out=np.zeros(speed_ghz.shape), where=served)


def wait_s(others_gcycles: Tasks, speed_ghz: Tasks, served: Bool[np.ndarray, "*batch tasks"]) -> Tasks:
    """Returns the mean time in s spent behind the other tasks that reach the server in the slot; 0 where not served.

    Paper: MAD2RL Eqs. (11), (15).
    """
    return np.divide(others_gcycles, 2.0 * speed_ghz, out=np.zeros(speed_ghz.shape), where=served)
