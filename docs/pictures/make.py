"""Makes the picture of the README: `python docs/pictures/make.py`.

Best response plays recorded traffic for some slots, and the environment draws the road and its queues. Needs the
extra `render`.
"""

from __future__ import annotations

from pathlib import Path

import gymnasium
from matplotlib.image import imsave

import vec_envs  # noqa: F401  registers the environments
from vec_envs.policies import references

PICTURE = Path(__file__).with_name("dnn-partition.png")
SEED = 500_003
SLOTS = 9


def make(path: Path = PICTURE) -> None:
    """Plays `SLOTS` slots and writes the picture, by default beside this file."""
    env = gymnasium.make("VEC-DNNPartition-v0", mobility="replay", reward="drift", render_mode="rgb_array")
    observation, _ = env.reset(seed=SEED)
    problem = env.unwrapped.view.problem
    policy = references(problem).policies["best-response-drift"].make(problem)
    policy.reset(SEED)
    for _ in range(SLOTS):
        action = policy.act(observation[None], env.unwrapped.view)[0]
        observation, *_ = env.step(action)
    imsave(path, env.render())
    env.close()


if __name__ == "__main__":
    make()
