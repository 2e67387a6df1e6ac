"""A search that tries actions in copies of the environment: it needs nothing but Gymnasium's interface.

    python docs/examples/tree_search.py

In every slot, each copy of the environment plays one candidate, and then repeats it for some more slots. The best
candidate is played. The candidates are random, so there is much to improve.
"""

from __future__ import annotations

import copy
from typing import Any

import gymnasium

import vec_envs  # noqa: F401  registers the environments

SLOTS = 10
CANDIDATES = 8
AHEAD = 3


def value(env: gymnasium.Env[Any, Any], action: Any) -> float:
    """Returns the sum of rewards of an action that is played now and in the next slots, in a copy of `env`."""
    future = copy.deepcopy(env)
    return sum(float(future.step(action)[1]) for _ in range(AHEAD))


def search(slots: int = SLOTS) -> float:
    """Plays some slots of an episode, and returns the mean completion time."""
    env = gymnasium.make("VEC-DNNPartition-v0", mobility="replay", reward="drift")
    env.action_space.seed(0)
    env.reset(seed=500_000)
    times_s = []
    for _ in range(slots):
        candidates = [env.action_space.sample() for _ in range(CANDIDATES)]
        *_, info = env.step(max(candidates, key=lambda action: value(env, action)))
        times_s.append(float(info["completion_time_s"]))
    env.close()
    return sum(times_s) / len(times_s)


if __name__ == "__main__":
    print(f"mean completion time: {search():.2f} s")
