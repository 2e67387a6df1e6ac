"""Plays reference policies on the same recorded episodes, and prints what each one reaches.

python docs/examples/play_references.py
"""

from __future__ import annotations

import numpy as np

from vec_envs import dnn_partition_v0
from vec_envs.policies import references

SEED = 500_000  # episodes from seed 1000 on belong to the leaderboard
EPISODES = 8


def played(name: str) -> tuple[float, float]:
    """Returns the mean completion time per slot and the last backlog of a policy."""
    env = dnn_partition_v0.vector_env(num_envs=EPISODES, mobility="replay", reward="drift")
    policy = references(env.problem).named(name).make(env.problem)
    policy.reset(SEED)
    observation, _ = env.reset(seed=SEED)
    times_s = []
    for _ in range(env.problem.episode_epochs):
        observation, _, _, _, infos = env.step(policy.act(observation, env.view))
        times_s.append(infos["completion_time_s"].mean())
    env.close()
    return float(np.mean(times_s)), float(infos["backlog_gcycles"].mean())


if __name__ == "__main__":
    for name in ("best-response-drift", "least-delay", "random", "all-local"):
        time_s, backlog_gcycles = played(name)
        print(f"{name:20} {time_s:8.2f} s {backlog_gcycles:10.1f} Gcycles")
