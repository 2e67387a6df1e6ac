"""VEC-DNNPartition: clients cut their DNNs and send the rest to a roadside unit or to service vehicles (MAD2RL)."""

from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.dnn_partition.records import Draws, Exogenous, Outcome, State

__all__ = ["DNNPartition", "Draws", "Exogenous", "Outcome", "State"]
