"""The reference policies of `MobileInference`."""

from vec_envs.problems.mobile_inference.policies.estimates import LeastEstimate, Predicted
from vec_envs.problems.mobile_inference.policies.rollout import Clairvoyant, Rollout
from vec_envs.problems.mobile_inference.policies.rules import Access, Local, Random
from vec_envs.problems.policy import Reference, References

REFERENCES = References(
    policies={
        "random": Reference(make=Random),
        "local": Reference(make=Local),
        "access": Reference(make=Access),
        "least-estimate": Reference(make=LeastEstimate, selfish=True),
        "predicted": Reference(make=Predicted, selfish=True),
        "rollout": Reference(make=Rollout, slow=True),
    },
    to_beat="least-estimate",
    clairvoyant=Clairvoyant,
)

__all__ = ["REFERENCES", "Access", "Clairvoyant", "LeastEstimate", "Local", "Predicted", "Random", "Rollout"]
