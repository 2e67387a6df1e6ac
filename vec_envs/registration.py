"""The table of environments, and their registration with Gymnasium and PettingZoo."""

from __future__ import annotations

import gymnasium
import pettingzoo

ENVIRONMENTS = {
    "VEC-DNNPartition-v0": "vec_envs.dnn_partition_v0",
    "VEC-TaskDiversion-v0": "vec_envs.task_diversion_v0",
    "VEC-CooperativeInference-v0": "vec_envs.cooperative_inference_v0",
}
"""Id -> module of its doors."""


def register_all() -> None:
    """Registers every id that is not yet registered."""
    for env_id, module in ENVIRONMENTS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id, entry_point=f"{module}:joint_env", vector_entry_point=f"{module}:vector_env", order_enforce=True
            )
        if env_id not in pettingzoo.parallel_registry:
            pettingzoo.register("parallel", env_id, f"{module}:parallel_env")
        if env_id not in pettingzoo.aec_registry:
            pettingzoo.register("aec", env_id, f"{module}:env")
