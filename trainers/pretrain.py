"""Pre-trains the agents of QMIX or MAD2RL on an expert: `python -m trainers.pretrain [--agents qmix] [--output DIR]`.

The expert is a reference policy that sees the whole slot. It plays episodes, and each agent learns from its own
observation how each of its actions would have changed the expert's reward. MAD2RL's denoisers learn this change by
forward diffusion, P-QMIX's networks by regression. The result is a run: `trainers.evaluate` evaluates it, and
`python -m trainers.qmix_diffusion --init-from DIR/checkpoint.pt` trains it further. Section 9 of MAD2RL proposes
pre-training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from trainers.imitation.options import AGENTS, Pretraining
from trainers.registry import Learner, learner_named
from trainers.runs.command_line import parse
from vec_envs.validation import did_you_mean


def read_arguments(arguments: Sequence[str] | None = None) -> tuple[Learner, Pretraining]:
    """Returns the learner and the options of a command line; exits with a message where they are wrong."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--agents", default=AGENTS[0])
    agents = first.parse_known_args(arguments)[0].agents
    if agents not in AGENTS:
        near = did_you_mean(agents, AGENTS)
        sys.exit(f"trainers.pretrain: agents={agents!r} is unknown; known are: {', '.join(map(repr, AGENTS))}{near}")
    learner = learner_named(agents)
    return learner, parse(learner, arguments, kind=Pretraining, module="pretrain")


if __name__ == "__main__":
    learner, run = read_arguments()  # before torch is imported
    from trainers.imitation.fitting import main

    main(learner, run)
