"""The four parts of the delay of a task that is divided between a vehicle and a server.

All arguments are arrays of one shape, with an entry for each task. The parts add up to the task's completion time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

Tasks = Float[np.ndarray, "*batch tasks"]


def finish_s(backlog: Any, work: Any, speed: Any, runs: Any) -> Any:
    """Returns the time until a backlog and then a task's own work are done; 0 where `runs` is 0. Arrays or tensors."""
    return (backlog + work) / speed * runs


def local_s(
    backlog_gcycles: Tasks, work_gcycles: Tasks, speed_ghz: Tasks, runs_local: Bool[np.ndarray, "*batch tasks"]
) -> Tasks:
    """Returns the time in s until the vehicle has finished its backlog and its layers; 0 where it runs no layer.

    Paper: MAD2RL Eq. (7).
    Paper: RTD Eq. (9).
    """
    return finish_s(backlog_gcycles, work_gcycles, speed_ghz, runs_local)


def transmit_s(sent_mbit: Tasks, rate_mbps: Tasks) -> Tasks:
    """Returns the time in s to send the data at the cut; 0 where nothing is sent.

    Paper: MAD2RL Eqs. (4), (5).
    Differs: with `shared_band=True` of `DNNPartition`, this is the time with the whole band of the receiver.
    Paper: RTD Eq. (11).
    """
    return np.divide(sent_mbit, rate_mbps, out=np.zeros(rate_mbps.shape), where=sent_mbit > 0.0)


def process_s(
    backlog_gcycles: Tasks, work_gcycles: Tasks, speed_ghz: Tasks, served: Bool[np.ndarray, "*batch tasks"]
) -> Tasks:
    """Returns the time in s until the server has finished its backlog and the task's layers; 0 if not served.

    Paper: MAD2RL Eqs. (9), (13).
    Paper: RTD Eq. (13).
    """
    return np.divide(backlog_gcycles + work_gcycles, speed_ghz, out=np.zeros(speed_ghz.shape), where=served)


def wait_s(others_gcycles: Tasks, speed_ghz: Tasks, served: Bool[np.ndarray, "*batch tasks"]) -> Tasks:
    """Returns the mean wait in s for other tasks of the slot at the server; 0 if not served.

    Paper: MAD2RL Eqs. (11), (15).
    """
    return np.divide(others_gcycles, 2.0 * speed_ghz, out=np.zeros(speed_ghz.shape), where=served)


def shared_gcycles(num_tasks: Any, arrivals_gcycles: Any) -> Any:
    """Returns the part of the sum of the tasks' delays that the slot's arrivals cause, at a server of 1 GHz.

    Each task counts its own work and half the work of the others. So n tasks with work A in total count (n + 1) / 2 A.

    These are the weights of P3, Eq. (42) of MAD2RL.
    """
    return 0.5 * (num_tasks + 1.0) * arrivals_gcycles


def delays_at_server_gcycles(num_tasks: Any, backlog_gcycles: Any, arrivals_gcycles: Any) -> Any:
    """Returns the sum of the processing and waiting times of n tasks at a server of 1 GHz; arrays or numbers.

    Divided by the server's speed this is the sum of `process_s` and `wait_s` over the tasks.
    """
    return num_tasks * backlog_gcycles + shared_gcycles(num_tasks, arrivals_gcycles)
