"""The reference policies of `TaskDiversion`."""

from functools import partial

from vec_envs.problems.policy import Reference, References
from vec_envs.problems.task_diversion.policies.deadlines import DeadlineCut
from vec_envs.problems.task_diversion.policies.rules import CheapestCut, RandomNumbers

_NEAREST = {"diversion": "nearest"}
REFERENCES = References(
    policies={
        "random": Reference(make=RandomNumbers),
        "leo-full": Reference(make=partial(CheapestCut, cuts="local", speeds="full")),
        "leo-best": Reference(make=partial(CheapestCut, cuts="local")),
        "reo-full": Reference(make=partial(CheapestCut, cuts="offload", speeds="full"), env=_NEAREST),
        "reo-best": Reference(make=partial(CheapestCut, cuts="offload"), env=_NEAREST),
        "gbs-full": Reference(make=partial(CheapestCut, speeds="full"), env=_NEAREST),
        "gbs-best": Reference(make=CheapestCut, env=_NEAREST),
        "gbs-best-diverted": Reference(make=CheapestCut, env={"diversion": "probability"}),
        "gbs-deadline": Reference(make=DeadlineCut, env={"diversion": "probability"}),
    },
    to_beat="gbs-best",
)

__all__ = ["REFERENCES", "CheapestCut", "DeadlineCut", "RandomNumbers"]
