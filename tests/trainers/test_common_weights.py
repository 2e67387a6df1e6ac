"""Agents whose actions differ share weights: what one learns of an action holds for all, also with other DNNs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainers.algorithms.options import QMIXOptions
from trainers.algorithms.qmix import QMIX, greedy, num_networks
from trainers.imitation.fitting import imitation_loss
from trainers.networks.agents import ActionKnowledge, MLPAgents
from trainers.networks.denoiser import DenoisingAgents
from trainers.networks.options import DenoiserOptions
from trainers.networks.shared import SharedAgents
from trainers.registry import learner_named
from vec_envs.problems.base import DiscreteActions, action_exists
from vec_envs.problems.dnn_partition import DNNPartition

LEARNERS = ["qmix", "qmix_diffusion"]
SIZE = {"num_agents": 2, "observation_size": 5, "hidden": 8, "hidden_layers": 2}


def problem_with(*dnns: str, clients: int = 3) -> DNNPartition:
    return DNNPartition(dnns=dnns, num_client_vehicles=clients, num_service_vehicles=2, observation="extended")


def built(learner: str, problem: DNNPartition, **options: Any) -> QMIX:
    known: Any = learner_named(learner)
    qmix = QMIXOptions(hidden=8, hidden_layers=2, share_weights=True, **options)
    return known.build(problem, type(known.presets["tuned"].learner)(qmix=qmix), seed=0)


def network_for(kind: str, features: Tensor) -> nn.Module:
    knowledge, exists = ActionKnowledge(features=features, common=True), features.any(dim=-1)
    if kind == "qmix":
        return MLPAgents(**SIZE, num_actions=features.shape[1], knowledge=knowledge)
    return DenoisingAgents(**SIZE, action_mask=exists, options=DenoiserOptions(), knowledge=knowledge)


def with_random_weights(network: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_number_of_an_action_has_no_meaning(learner: str) -> None:
    torch.manual_seed(0)
    features, order = torch.rand(2, 6, 3) + 0.1, torch.randperm(6)
    network = with_random_weights(network_for(learner, features))
    renumbered = network_for(learner, features[:, order])
    renumbered.load_state_dict(network.state_dict())
    observation = torch.randn(4, 2, 5)
    values = network(observation, torch.Generator())
    assert values.std(dim=-1).min() > 0.0
    torch.testing.assert_close(renumbered(observation, torch.Generator()), values[..., order])


@pytest.mark.parametrize("learner", LEARNERS)
def test_agents_differ_by_their_biases_alone(learner: str) -> None:
    torch.manual_seed(0)
    network = with_random_weights(network_for(learner, (torch.rand(1, 6, 3) + 0.1).expand(2, -1, -1)))
    observation = torch.randn(4, 1, 5).expand(-1, 2, -1)
    first, second = network(observation, torch.Generator()).unbind(1)
    assert not torch.isclose(first, second).any()
    biases = [bias for name, bias in network.named_parameters() if name.endswith("bias")]
    assert biases
    with torch.no_grad():
        for bias in biases:
            bias[1] = bias[0]
    first, second = network(observation, torch.Generator()).unbind(1)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("learner", LEARNERS)
def test_agents_learn_from_each_other(learner: str) -> None:
    problem = problem_with("alexnet", "vgg16")
    algorithm = built(learner, problem)
    assert not isinstance(algorithm.policy.network, SharedAgents)
    network, generator = algorithm.policy.network, torch.Generator()
    observation = torch.rand(6, 3, problem.observation_size)
    before = network(observation, generator).detach()
    network(observation, generator)[:, 0].sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * parameter.grad
    exists = torch.as_tensor(action_exists(problem))
    assert ((network(observation, generator) - before)[:, 1:, :][:, exists[1:]] > 0.0).float().mean() > 0.9


@pytest.mark.parametrize("learner", LEARNERS)
def test_weights_fit_dnns_that_were_not_in_training(learner: str) -> None:
    algorithm = built(learner, problem_with("alexnet", "resnet18"))
    problem = problem_with("nin", "vgg16")
    assert max(problem.actions.counts) != max(problem_with("alexnet", "resnet18").actions.counts)
    other = built(learner, problem)
    other.load_state_dict(algorithm.state_dict())
    observation = np.random.default_rng(0).random((16, 3, problem.observation_size), dtype=np.float32)
    action = greedy(other).act(observation)
    assert action_exists(problem)[np.arange(3), action].all()


@pytest.mark.parametrize("learner", LEARNERS)
def test_agents_with_common_weights_learn_from_an_expert(learner: str) -> None:
    problem = problem_with("alexnet", "vgg16")
    algorithm = built(learner, problem)
    rng = np.random.default_rng(0)
    observation = rng.random((8, 3, problem.observation_size), dtype=np.float32)
    target = np.where(action_exists(problem), -rng.random((8, 1, 1), dtype=np.float32), 0.0).astype(np.float32)
    action, losses = np.zeros((8, 3), np.int64), []
    optimiser = torch.optim.Adam(algorithm.policy.network.parameters(), lr=1e-2)
    for _ in range(60):
        loss = imitation_loss(algorithm, observation, action, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.3 * losses[0]


def test_agents_that_differ_need_common_features() -> None:
    problem: Any = SimpleNamespace(agent_names=("a", "b"), actions=DiscreteActions(counts=(2, 3)))
    with pytest.raises(ValueError, match="2 agents that differ, in a problem without common_action_features"):
        num_networks(problem, QMIXOptions(share_weights=True))
