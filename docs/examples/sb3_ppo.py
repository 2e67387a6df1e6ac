"""Trains PPO of Stable-Baselines3 on recorded traffic for some seconds.

pip install stable-baselines3
python docs/examples/sb3_ppo.py
"""

from __future__ import annotations

import gymnasium
from stable_baselines3 import PPO

import vec_envs  # noqa: F401  registers the environments


def train(steps: int = 600) -> PPO:
    """Returns a model that was trained for `steps` slots; all clients together are the agent."""
    env = gymnasium.make("VEC-DNNPartition-v0", mobility="replay", reward="drift", flatten=True)
    return PPO("MlpPolicy", env, n_steps=120, batch_size=60, gamma=0.9, seed=0, device="cpu").learn(steps)


if __name__ == "__main__":
    model = train()
    env = gymnasium.make("VEC-DNNPartition-v0", mobility="replay", reward="drift", flatten=True)
    observation, _ = env.reset(seed=500_000)
    action, _ = model.predict(observation, deterministic=True)
    *_, info = env.step(action)
    print(f"completion time of the first slot: {info['completion_time_s']:.2f} s")
