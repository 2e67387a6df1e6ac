"""VEC-CooperativeInference: devices cut their DNNs and share an edge server within long-term budgets (LyMDO)."""

from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.cooperative_inference.records import Allocation, Draws, Exogenous, Outcome, State

__all__ = ["Allocation", "CooperativeInference", "Draws", "Exogenous", "Outcome", "State"]
