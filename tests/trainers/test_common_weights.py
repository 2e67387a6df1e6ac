"""Agents whose actions differ share weights: what one learns of an action holds for all, also with other DNNs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.runs import run, weights
from trainers.algorithms.options import QMIXOptions
from trainers.algorithms.qmix import QMIX, greedy, weight_sharing
from trainers.imitation.fitting import imitation_loss
from trainers.networks.action_costs import KnownActionCosts
from trainers.networks.agents import ActionKnowledge, MLPAgents
from trainers.networks.denoiser import DenoisingAgents
from trainers.networks.options import DenoiserOptions
from trainers.networks.shared import SharedAgents
from trainers.registry import learner_named
from vec_envs.problems.base import DiscreteActions
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.mobile_inference import MobileInference

LEARNERS = ["qmix", "qmix_diffusion"]
SIZE = {"num_agents": 2, "observation_size": 5, "hidden": 8, "hidden_layers": 2}


def problem_with(*dnns: str, clients: int = 0) -> DNNPartition:
    clients = clients or len(dnns)
    return DNNPartition(dnns=dnns, observation="extended", num_client_vehicles=clients, num_service_vehicles=2)


def built(learner: str, problem: Any, **options: Any) -> QMIX:
    known: Any = learner_named(learner)
    qmix = QMIXOptions(hidden=8, hidden_layers=2, share_weights=True, **options)
    return known.build(problem, type(known.presets["tuned"].learner)(qmix=qmix), seed=0)


def network_for(kind: str, features: Tensor) -> nn.Module:
    knowledge, exists = ActionKnowledge(features=features, common=True), features.any(dim=-1)
    if kind == "qmix":
        return MLPAgents(**SIZE, num_actions=features.shape[1], knowledge=knowledge)
    return DenoisingAgents(**SIZE, action_mask=exists, options=DenoiserOptions(), knowledge=knowledge)


def with_random_weights(network: nn.Module, *, equal_biases: bool = False) -> nn.Module:
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            nn.init.normal_(parameter, std=0.3)
            if equal_biases and name.endswith("bias"):
                parameter[:] = parameter[:1].clone()
    return network


def some_features() -> Tensor:
    """Features of an agent with 6 actions and one with 4."""
    torch.manual_seed(0)
    features = torch.rand(2, 6, 3) + 0.1
    features[1, 4:] = 0.0
    return features


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_index_of_an_action_has_no_meaning(learner: str) -> None:
    features, order = some_features(), torch.tensor([2, 0, 3, 1, 4, 5])
    network = with_random_weights(network_for(learner, features))
    renumbered = network_for(learner, features[:, order])
    renumbered.load_state_dict(network.state_dict())
    observation = torch.randn(4, 2, 5)
    values = network(observation, torch.Generator())
    assert values[:, 0].std(dim=-1).min() > 0.0
    torch.testing.assert_close(renumbered(observation, torch.Generator()), values[..., order])


@pytest.mark.parametrize("learner", LEARNERS)
def test_actions_that_an_agent_does_not_have_change_no_value(learner: str) -> None:
    features = some_features()
    network = with_random_weights(network_for(learner, features))
    shorter = network_for(learner, features[:, :4])
    shorter.load_state_dict(network.state_dict())
    observation = torch.randn(4, 2, 5)
    values = network(observation, torch.Generator())[:, 1, :4]
    torch.testing.assert_close(shorter(observation, torch.Generator())[:, 1], values)


@pytest.mark.parametrize("learner", LEARNERS)
def test_agents_differ_by_their_biases_alone(learner: str) -> None:
    features = some_features()[:1].expand(2, -1, -1)
    observation = torch.randn(4, 1, 5).expand(-1, 2, -1)
    network = with_random_weights(network_for(learner, features))
    first, second = network(observation, torch.Generator()).unbind(1)
    assert not torch.isclose(first, second).any()
    network = with_random_weights(network_for(learner, features), equal_biases=True)
    first, second = network(observation, torch.Generator()).unbind(1)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("learner", LEARNERS)
def test_no_weight_belongs_to_an_agent_or_to_the_index_of_an_action(learner: str) -> None:
    problem = problem_with("alexnet", "vgg16", clients=3)
    weights = dict(built(learner, problem).policy.network.named_parameters())
    assert any("weighing" in name for name in weights)
    for name, weight in weights.items():
        assert name.endswith("bias") or weight.shape[0] == 1, name
        assert max(problem.actions.counts) not in weight.shape, name


def test_a_scorer_can_have_common_weights_too() -> None:
    problem = MobileInference(num_client_vehicles=2, num_service_vehicles=1)
    features = torch.rand(2, problem.actions.counts[0], 3)
    costs = KnownActionCosts(problem.action_costs(), compressed=True)
    knowledge = ActionKnowledge(features=features, costs=costs, cost_weight=-1.0, scorer=8, common=True)
    size = {**SIZE, "observation_size": problem.observation_size}
    network = MLPAgents(**size, num_actions=problem.actions.counts[0], knowledge=knowledge)
    scorer = {name: weight for name, weight in network.named_parameters() if "scorer" in name}
    assert all(weight.shape[0] == (2 if name.endswith("bias") else 1) for name, weight in scorer.items())
    with_random_weights(network, equal_biases=True)
    observation = torch.rand(4, 1, problem.observation_size).expand(-1, 2, -1)
    first, second = network(observation, torch.Generator()).unbind(1)
    torch.testing.assert_close(first, second)
    assert first.std() > 0.0


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_dnn_has_the_same_values_beside_other_dnns(learner: str) -> None:
    before, after = problem_with("alexnet", "vgg16", "resnet18"), problem_with("nin", "alexnet", "tinyyolov2")
    assert max(before.actions.counts) != max(after.actions.counts)
    trained, other = built(learner, before), built(learner, after)
    with_random_weights(trained.policy.network, equal_biases=True)
    other.load_state_dict(trained.state_dict())
    observation = torch.rand(8, 1, before.observation_size).expand(-1, 3, -1)
    alexnet = slice(before.actions.counts[0])
    values = trained.policy.network(observation, torch.Generator())[:, 0, alexnet]
    assert values.std(dim=-1).min() > 0.0
    again = other.policy.network(observation, torch.Generator())[:, 1, alexnet]
    torch.testing.assert_close(again, values, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "problem",
    [problem_with("vgg16"), problem_with("vgg16", clients=2), problem_with("alexnet", "vgg16")],
    ids=["one client", "equal clients", "clients that differ"],
)
@pytest.mark.parametrize("options", [{}, {"action_costs": False}, {"action_features": False}, {"cost_prior": 1.0}])
def test_clients_have_common_weights_whatever_dnns_they_have(problem: DNNPartition, options: dict[str, Any]) -> None:
    algorithm = built("qmix", problem, **options)
    assert not isinstance(algorithm.policy.network, SharedAgents)
    assert not any("own" in name for name in algorithm.policy.network.state_dict())


@pytest.mark.parametrize("learner", LEARNERS)
def test_clients_learn_the_work_of_actions_from_an_expert(learner: str) -> None:
    """One learns from AlexNet and VGG16 that work at the edge costs, and avoids it for two other DNNs."""
    problem, other = problem_with("alexnet", "vgg16"), problem_with("nin", "tinyyolov2")
    algorithm = built(learner, problem, action_costs=False, reward_scale=1.0)
    rng = np.random.default_rng(0)
    target = np.float32(-0.1) * problem.choices.table.edge_gcycles.astype(np.float32)
    optimiser = torch.optim.Adam(algorithm.policy.network.parameters(), lr=3e-3)
    for _ in range(300):
        observation = rng.random((16, 2, problem.observation_size), dtype=np.float32)
        targets = np.broadcast_to(target, (16, *target.shape)).copy()
        loss = imitation_loss(algorithm, observation, np.zeros((16, 2), np.int64), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    transferred = built(learner, other, action_costs=False, reward_scale=1.0)
    algorithm.copy_to_targets()
    transferred.load_state_dict(algorithm.state_dict())
    observation = rng.random((16, 2, other.observation_size), dtype=np.float32)
    work = other.choices.table.edge_gcycles
    chosen = work[np.arange(2), greedy(transferred).act(observation)]
    assert chosen.max() < 0.1 * work.max(axis=1).min()


def test_agents_that_differ_need_common_features() -> None:
    problem: Any = SimpleNamespace(agent_names=("a", "b"), actions=DiscreteActions(counts=(2, 3)))
    with pytest.raises(ValueError, match="2 agents that differ, in a problem without common_action_features"):
        weight_sharing(problem, QMIXOptions(share_weights=True))


@pytest.mark.slow
@pytest.mark.parametrize("learner", LEARNERS)
def test_a_trained_run_plays_with_dnns_that_it_was_not_trained_on(learner: str, tmp_path: Path) -> None:
    shared = ("--learner.share-weights",)
    run(learner, tmp_path / "run", *shared, "--episodes", "8", "--evaluation-episodes", "0")
    other = ("--env.dnns", "nin", "tinyyolov2", "--init-from", str(tmp_path / "run"), "--episodes", "0")
    run(learner, tmp_path / "other", *shared, *other, "--evaluation-episodes", "2")
    assert json.loads((tmp_path / "other" / "evaluation.json").read_text())["episodes"] == 2
    before, after = weights(tmp_path / "run"), weights(tmp_path / "other")
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("policy"))
