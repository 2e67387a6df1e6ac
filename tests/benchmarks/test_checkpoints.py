"""A trained run in the tree is played again, to the figures that are recorded of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.jobs.execute import evaluate
from benchmarks.jobs.plan import jobs_of
from benchmarks.results import result as results
from benchmarks.suites.mad2rl import MAD2RL_TARGETS

RECORDED = Path(__file__).parents[2] / "docs" / "results" / "mad2rl"
EPISODES = 8


def test_a_saved_checkpoint_of_mad2rl_has_the_figures_recorded() -> None:
    case = MAD2RL_TARGETS.cases[0]
    job = jobs_of(case, next(policy for policy in case.policies if policy.name == "mad2rl"), 1)[0]
    recorded = results.read(RECORDED / f"{job.name}.json")
    few = {**job.definition, "evaluation": {**job.definition["evaluation"], "episodes": EPISODES}}
    played = evaluate(replace(job, definition=few), RECORDED / "checkpoints" / job.run_name)
    assert played.values.keys() == recorded.values.keys()
    for figure, values in played.values.items():
        # On another processor a near tie may be decided otherwise, in an episode or two.
        same = np.isclose(values, recorded.values[figure][:EPISODES], rtol=1e-4, atol=1e-6)
        assert same.mean() >= 0.75, figure
