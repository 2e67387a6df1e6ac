"""Batched agents and the mixer."""

from __future__ import annotations

import pytest
import torch

from trainers.networks.agents import MLPAgents, agent_mlp
from trainers.networks.mixer import Mixer


def test_batched_agents_are_the_same_as_one_network_each() -> None:
    torch.manual_seed(0)
    network = agent_mlp(3, [4, 8, 5])
    x = torch.randn(3, 10, 4)
    first, last = network[0], network[2]
    for agent in range(3):
        hidden = torch.relu(x[agent] @ first.weight[agent] + first.bias[agent])
        torch.testing.assert_close(network(x)[agent], hidden @ last.weight[agent] + last.bias[agent])


def test_agents_see_only_their_own_observation() -> None:
    torch.manual_seed(0)
    network = MLPAgents(num_agents=3, observation_size=4, num_actions=5, hidden=8, hidden_layers=1)
    observation = torch.randn(2, 3, 4)
    changed = observation.clone()
    changed[:, 1] += 1.0
    before, after = network(observation, torch.Generator()), network(changed, torch.Generator())
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_value_rises_with_every_agents_value(seed: int) -> None:
    torch.manual_seed(seed)
    mixer = Mixer(4, 6)
    values = torch.randn(32, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(mixer(values, 3.0 * torch.randn(32, 6)).sum(), values)
    assert (gradient >= 0.0).all()
    assert (gradient > 0.0).any()


def test_the_mix_is_not_merely_a_sum() -> None:
    torch.manual_seed(0)
    mixer, state = Mixer(2, 3), torch.randn(1, 3)
    low, high = torch.tensor([[-2.0, -2.0]]), torch.tensor([[2.0, 2.0]])
    middle = mixer((low + high) / 2, state)
    assert not torch.allclose(middle, (mixer(low, state) + mixer(high, state)) / 2, atol=1e-3)
