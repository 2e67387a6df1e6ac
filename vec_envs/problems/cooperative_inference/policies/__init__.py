"""The reference policies of `CooperativeInference`."""

from functools import partial

from vec_envs.problems.cooperative_inference.policies.exact import ExactCuts
from vec_envs.problems.cooperative_inference.policies.rules import AllEdge, LargestCut, RandomCuts
from vec_envs.problems.policy import Reference, References

_EXACT = {"allocation": "exact"}
REFERENCES = References(
    policies={
        "random": Reference(make=RandomCuts, env=_EXACT),
        "local": Reference(make=LargestCut, env=_EXACT),
        "edge": Reference(make=AllEdge, env=_EXACT),
        "optimum": Reference(make=partial(ExactCuts, objective="drift_bound"), env=_EXACT),
    },
    to_beat="optimum",
)

__all__ = ["REFERENCES", "AllEdge", "ExactCuts", "LargestCut", "RandomCuts"]
