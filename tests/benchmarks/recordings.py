"""Recordings of the project's environments: episodes of a random policy, as a case has them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from benchmarks.jobs.playing import play
from benchmarks.jobs.recording import Recording, read
from benchmarks.results.kept import Kept
from vec_envs.policies import references
from vec_envs.registration import factory_of

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "VEC-DNNPartition-v0": {"mobility": "straight", "num_client_vehicles": 7, "num_service_vehicles": 5},
    "VEC-TaskDiversion-v0": {"mobility": "straight"},
    "VEC-CooperativeInference-v0": {},
    "VEC-MobileInference-v0": {"mobility": "straight"},
}
"""Options of each environment that need no SUMO."""


def content_of(env_id: str, **options: Any) -> dict[str, Any]:
    """Returns the JSON of a recorded episode of the random policy."""
    with closing(factory_of(env_id).vector_env(num_envs=2, **ENVIRONMENTS[env_id], **options)) as env:
        policy = references(env.problem).named("random").make(env.problem)
        kept = Kept(metrics=(env.problem.reported_metrics[0].name,), recorded=True)
        return json.loads(json.dumps(play(policy, env, env.problem, kept, seed=3).recording, allow_nan=False))


def recording_of(env_id: str, **options: Any) -> Recording:
    """Returns a recorded episode of the random policy."""
    return read(content_of(env_id, **options), case=env_id, policy="random")
