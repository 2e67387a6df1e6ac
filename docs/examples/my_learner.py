"""A learner of your own: QMIX whose agents are linear functions of their observation.

`docs/tutorials/own-learner.md` explains it. It takes the options that every learner takes:

    cd docs/examples
    python my_learner.py --env.mobility replay --episodes 96
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from trainers.algorithms.options import QMIXOptions, ReplayOptions
from trainers.qmix import TUNED_REPLAY, learned, misfit
from trainers.registry import Learner, Preset, register
from trainers.runs.command_line import parse

ENV_ID = "VEC-DNNPartition-v0"


@dataclass(frozen=True, kw_only=True)
class LinearOptions:
    """The options of the learner; those of `QMIXOptions` and `ReplayOptions` need no prefix on the command line."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)
    gain: float = 0.1
    """Scale of the initial weights."""

    @property
    def schedule(self) -> QMIXOptions:
        """The options that set learning rate and exploration over the run."""
        return self.qmix


def build(problem: Any, options: LinearOptions, *, seed: int) -> Any:
    """Returns a Tianshou algorithm. Torch is imported here, so that the command line answers at once."""
    import torch

    from trainers.algorithms.qmix import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    class LinearAgents(torch.nn.Module):
        """A linear layer for each agent."""

        predicts_noise = False

        def __init__(self, agents: int, features: int, actions: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(options.gain * torch.randn(agents, features, actions) / features**0.5)
            self.bias = torch.nn.Parameter(torch.zeros(agents, 1, actions))

        def forward(self, observation: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            """Returns values `[batch, agents, actions]` of observations `[batch, agents, features]`."""
            return torch.baddbmm(self.bias, observation.transpose(0, 1), self.weight).transpose(0, 1)

    with seeded_weights(seed) as decisions:
        network = LinearAgents(len(problem.agent_names), problem.observation_size, max(problem.actions.counts))
        return assemble(problem, network, options.qmix, seed=decisions)


LEARNER = register(
    Learner(
        name="my_learner",
        default_env_id=ENV_ID,
        presets={"tuned": Preset(env={ENV_ID: {"reward": "drift"}}, learner=LinearOptions())},
        misfit=misfit,
        build=build,
        policy=learned,
    )
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
