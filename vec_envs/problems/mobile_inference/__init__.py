"""VEC-MobileInference: moving clients start tasks at units and vehicles, on shared spectrum and within deadlines."""

from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.mobile_inference.records import Draws, Exogenous, Outcome, State

__all__ = ["Draws", "Exogenous", "MobileInference", "Outcome", "State"]
