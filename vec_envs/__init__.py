"""VEC-Envs: environments for cutting DNNs between vehicles and edge servers.

Importing this package registers its ids with Gymnasium and PettingZoo.
"""

from vec_envs import cooperative_inference_v0, dnn_partition_v0, mobile_inference_v0, task_diversion_v0
from vec_envs.registration import register, register_all

__version__ = "0.1.0"

register_all()

__all__ = [
    "__version__",
    "cooperative_inference_v0",
    "dnn_partition_v0",
    "mobile_inference_v0",
    "register",
    "task_diversion_v0",
]
