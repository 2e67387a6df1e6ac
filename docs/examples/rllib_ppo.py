"""Trains PPO of RLlib on recorded traffic, in about a minute: one policy that all client vehicles share.

    pip install "ray[rllib]" torch
    python docs/examples/rllib_ppo.py

The single-agent environments need less: `.environment("vec_envs:VEC-TaskDiversion-v0", env_config={"mobility":
"replay"})`. The prefix `vec_envs:` makes remote workers import this package, which registers its ids. Add
`"flatten": True` for the other ids.
"""

from typing import Any

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import FlattenObservations
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune import register_env

from vec_envs import dnn_partition_v0


def environment(config: dict[str, Any]) -> ParallelPettingZooEnv:
    """Returns the environment of a worker. Padded agents have the same spaces, so that they can share a policy."""
    return ParallelPettingZooEnv(dnn_partition_v0.parallel_env(padded=True, **config))


def ppo(num_env_runners: int = 1, batch: int = 600) -> PPOConfig:
    """Returns the configuration of a short training."""
    register_env("dnn_partition", environment)
    return (
        PPOConfig()
        .environment("dnn_partition", env_config={"mobility": "replay", "reward": "drift"})
        .env_runners(
            num_env_runners=num_env_runners,
            env_to_module_connector=lambda env=None, spaces=None, device=None: FlattenObservations(multi_agent=True),
        )
        .multi_agent(policies={"client"}, policy_mapping_fn=lambda agent, *args, **kwargs: "client")
        .training(train_batch_size_per_learner=batch, minibatch_size=min(batch, 500), num_epochs=4, lr=3e-4)
    )


if __name__ == "__main__":
    algorithm = ppo().build_algo()
    for iteration in range(3):
        result = algorithm.train()
        print(f"iteration {iteration}: return {result['env_runners']['episode_return_mean']:,.0f}")
    algorithm.stop()
