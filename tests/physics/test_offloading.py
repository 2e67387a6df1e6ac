"""The four parts of a task's delay, by hand."""

from __future__ import annotations

import numpy as np

from vec_envs.physics.offloading import local_s, process_s, transmit_s, wait_s


def test_local_time_is_backlog_and_layers_over_speed() -> None:
    runs = np.array([True, True, False])
    times = local_s(np.array([3.0, 0.0, 7.0]), np.array([1.0, 2.0, 0.0]), np.array([4.0, 4.0, 4.0]), runs)
    assert times.tolist() == [1.0, 0.5, 0.0]


def test_transmission_is_data_over_rate_and_0_without_data() -> None:
    times = transmit_s(np.array([10.0, 0.0, 0.0]), np.array([4.0, 4.0, 0.0]))
    assert times.tolist() == [2.5, 0.0, 0.0]


def test_processing_counts_the_servers_backlog_and_the_rest_of_the_task() -> None:
    served = np.array([True, False, False])
    times = process_s(np.array([6.0, 6.0, 6.0]), np.array([2.0, 0.0, 2.0]), np.array([4.0, 4.0, 0.0]), served)
    assert times.tolist() == [2.0, 0.0, 0.0]


def test_waiting_is_half_of_what_the_others_bring() -> None:
    served = np.array([True, False])
    assert wait_s(np.array([6.0, 6.0]), np.array([4.0, 0.0]), served).tolist() == [0.75, 0.0]
