"""The reference policies of `DNNPartition`."""

from functools import partial

from vec_envs.problems.dnn_partition.policies.best_response import BestResponse
from vec_envs.problems.dnn_partition.policies.exact import ExactSlot
from vec_envs.problems.dnn_partition.policies.exhaustive import ExhaustiveSearch
from vec_envs.problems.dnn_partition.policies.genetic import Genetic
from vec_envs.problems.dnn_partition.policies.rules import AllLocal, AllRSU, LeastDelay, PaperGreedy, Random
from vec_envs.problems.policy import Reference, References

_PAPER_SIZE = {"population": 20, "generations": 25}
"""The size of `genetic-paper`, because the paper speaks of "several chromosomes". `Genetic` by default takes 10,000
evaluations, as many as best response."""
REFERENCES = References(
    policies={
        "random": Reference(make=Random),
        "all-local": Reference(make=AllLocal),
        "all-rsu": Reference(make=AllRSU),
        "paper-greedy": Reference(make=PaperGreedy),
        "least-delay": Reference(make=LeastDelay, selfish=True),
        "best-response-bound": Reference(make=partial(BestResponse, objective="drift_bound")),
        "best-response-drift": Reference(make=partial(BestResponse, objective="drift")),
        "genetic-paper": Reference(make=partial(Genetic, objective="drift_bound", **_PAPER_SIZE), slow=True),
        "genetic-drift": Reference(make=partial(Genetic, objective="drift"), slow=True),
        "optimum-bound": Reference(make=partial(ExactSlot, objective="drift_bound"), slow=True),
        "optimum-drift": Reference(make=partial(ExactSlot, objective="drift"), slow=True),
    },
    to_beat="best-response-drift",
)

__all__ = [
    "REFERENCES",
    "AllLocal",
    "AllRSU",
    "BestResponse",
    "ExactSlot",
    "ExhaustiveSearch",
    "Genetic",
    "LeastDelay",
    "PaperGreedy",
    "Random",
]
