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


def test_what_is_learned_of_an_action_tells_of_those_with_its_features() -> None:
    torch.manual_seed(0)
    features = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    head = agent_mlp(1, [2, 4, 3], features)
    x = torch.randn(1, 5, 2)
    before = head(x).detach()
    torch.testing.assert_close(before, head[-1].own(head[:-1](x)))  # at first an action has only what is its own
    head(x)[..., 0].sum().backward()
    with torch.no_grad():
        for parameter in head[-1].parameters():
            parameter += 0.1 * parameter.grad
    change = (head(x) - before)[0].mean(0)
    assert change[0] > change[1] > 0.0
    assert change[2] == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_value_rises_with_every_agents_value(seed: int) -> None:
    torch.manual_seed(seed)
    mixer = Mixer(4, 6)
    values = torch.randn(32, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(mixer(values, 3.0 * torch.randn(32, 6)).sum(), values)
    assert (gradient >= 0.0).all()
    assert (gradient > 0.0).any()


def test_agents_go_on_learning_where_values_are_far_below_zero() -> None:
    torch.manual_seed(0)
    values, state = torch.full((8, 4), -1e3, requires_grad=True), torch.randn(8, 6)
    for activation, learns in (("leaky_relu", True), ("elu", False)):
        mixer = Mixer(4, 6, activation=activation)
        (gradient,) = torch.autograd.grad(mixer(values, state).sum(), values)
        assert bool((gradient > 1e-3).all()) is learns


def test_the_mix_is_not_merely_a_sum() -> None:
    torch.manual_seed(0)
    mixer, state = Mixer(2, 3), torch.randn(1, 3)
    low, high = torch.tensor([[-2.0, -2.0]]), torch.tensor([[2.0, 2.0]])
    middle = mixer((low + high) / 2, state)
    assert not torch.allclose(middle, (mixer(low, state) + mixer(high, state)) / 2, atol=1e-3)
