"""The networks of batched agents, the known action costs and the mixer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from trainers.networks.action_costs import SOFT_LIMIT, KnownActionCosts
from trainers.networks.agents import NO_KNOWLEDGE, SCORED, ActionKnowledge, ActionScorer, AgentHead, AgentMLP, MLPAgents
from trainers.networks.mixer import Mixer
from vec_envs.physics.lyapunov import drift
from vec_envs.physics.queues import next_backlog_gcycles
from vec_envs.problems.dnn_partition.known_costs import DELAYS
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, State
from vec_envs.problems.mobile_inference import MobileInference

ALONE = DNNPartition(dnns=("vgg16", "alexnet", "resnet18"), num_client_vehicles=1, observation="extended")


def test_batched_agents_equal_separate_networks() -> None:
    torch.manual_seed(0)
    network = AgentMLP(3, [4, 8, 6, 5], NO_KNOWLEDGE)
    x = torch.randn(3, 10, 4)
    (first, second), last = network.layers, network.head.own
    first_hidden = torch.relu(first(x))
    values = network(first_hidden, network.head.folded(x, first_hidden))
    for agent in range(3):
        hidden = torch.relu(x[agent] @ first.weight[agent] + first.bias[agent])
        hidden = torch.relu(hidden @ second.weight[agent] + second.bias[agent])
        torch.testing.assert_close(values[agent], hidden @ last.weight[agent] + last.bias[agent])


def test_agents_see_only_their_own_observation() -> None:
    torch.manual_seed(0)
    network = MLPAgents(num_agents=3, observation_size=4, num_actions=5, hidden=8, hidden_layers=1)
    observation = torch.randn(2, 3, 4)
    changed = observation.clone()
    changed[:, 1] += 1.0
    before, after = network(observation, torch.Generator()), network(changed, torch.Generator())
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_actions_learn_from_other_actions_with_their_features() -> None:
    torch.manual_seed(0)
    features = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    head = AgentHead(1, 4, 4, 3, ActionKnowledge(features=features))
    x = torch.rand(1, 5, 4)
    before = head(x, head.folded(x, x)).detach()
    torch.testing.assert_close(before, head.own(x))  # before training only an action's own weights count
    head(x, head.folded(x, x))[..., 0].sum().backward()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter += 0.1 * parameter.grad
    change = (head(x, head.folded(x, x)) - before)[0].mean(0)
    assert change[0] > change[1] > 0.0
    assert change[2] == 0.0


@pytest.mark.parametrize("kind", range(4))
def test_the_weight_of_a_cost_applies_to_every_action(kind: int) -> None:
    torch.manual_seed(0)
    costs = KnownActionCosts(ALONE.action_costs(), compressed=False)
    head = AgentHead(1, 4, 3, ALONE.action_counts[0], ActionKnowledge(costs=costs))
    local, x, hidden = torch.rand(1, 5, ALONE.observation_size) + 0.1, torch.rand(1, 5, 4), torch.rand(1, 5, 3)
    before = head(x, head.folded(local, hidden)).detach()
    torch.testing.assert_close(before, head.own(x))  # before training costs have no weight
    assert head.weighing is not None
    with torch.no_grad():
        head.weighing.bias[..., kind] -= 1.0
    torch.testing.assert_close(head(x, head.folded(local, hidden)), before - costs(local)[kind])


def test_a_scorer_gives_equal_scores_to_actions_with_equal_inputs() -> None:
    torch.manual_seed(0)
    scorer = ActionScorer(2, 3, 4, 8)
    inputs, hidden = torch.randn(2, 5, 6, 3), torch.randn(2, 5, 4)
    inputs[:, :, 1] = inputs[:, :, 0]
    assert not scorer(inputs, hidden).any()  # before training
    torch.nn.init.normal_(scorer.last.weight)
    scores = scorer(inputs, hidden)
    assert scores.shape == (2, 5, 6)
    torch.testing.assert_close(scores[..., 1], scores[..., 0])
    assert not torch.isclose(scores[..., 2], scores[..., 0]).any()


def test_a_head_scores_actions_by_their_costs_and_inputs() -> None:
    torch.manual_seed(0)
    problem = MobileInference(num_client_vehicles=1, num_service_vehicles=1)
    costs = KnownActionCosts(problem.action_costs(), compressed=True)
    head = AgentHead(1, 4, 3, problem.actions.counts[0], ActionKnowledge(costs=costs, cost_weight=-1.0, scorer=8))
    local, x, hidden = torch.rand(1, 5, problem.observation_size), torch.rand(1, 5, 4), torch.rand(1, 5, 3)
    before = head(x, head.folded(local, hidden)).detach()
    torch.testing.assert_close(before, -sum(costs(local)))
    assert head.scorer is not None
    learned = {name.split(".")[0] for name, weight in head.named_parameters() if weight.requires_grad}
    assert learned == {"scorer"}
    torch.nn.init.normal_(head.scorer.last.weight)
    inputs = torch.cat([torch.stack(costs(local), dim=-1), costs.inputs(local)], dim=-1)
    scores = (head(x, head.folded(local, hidden)) - before).detach()
    least = sum(costs.of(local)).argsort(dim=-1)
    scored, others = least[..., :SCORED], least[..., SCORED:]
    of_all = head.scorer(inputs, hidden).detach()
    torch.testing.assert_close(scores.gather(-1, scored), of_all.gather(-1, scored), atol=1e-4, rtol=1e-4)
    lowest = of_all.gather(-1, scored).min(dim=-1, keepdim=True).values
    torch.testing.assert_close(scores.gather(-1, others), lowest.expand_as(others), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("others_wait", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_known_costs_are_those_of_a_client_without_others(compressed: bool, others_wait: bool) -> None:
    rng = np.random.default_rng(0)
    batch, services = 64, ALONE.num_service_vehicles
    state = State(
        client_backlog_gcycles=rng.exponential(3.0, (batch, 1)),
        rsu_backlog_gcycles=rng.exponential(3.0, (batch, 3)) * (1.0 if others_wait else np.eye(3)[0]),
        service_backlog_gcycles=rng.exponential(3.0, (batch, services)),
    )
    exogenous = Exogenous(
        client_position_m=rng.uniform(-700.0, 700.0, (batch, 1)),
        service_position_m=rng.uniform(-700.0, 700.0, (batch, services)),
        v2i_mbps=rng.uniform(1.0, 200.0, (batch, 1)),
        v2v_mbps=rng.uniform(1.0, 200.0, (batch, 1, services)),
        client_ghz=rng.uniform(4.0, 6.0, (batch, 1)),
        service_ghz=rng.uniform(6.0, 8.0, (batch, services)),
    )
    hidden = torch.as_tensor(ALONE.observe(state, exogenous)).transpose(0, 1)
    costs = KnownActionCosts(ALONE.action_costs(), compressed=compressed)
    compressed_costs = torch.stack(costs(hidden.sign() * hidden.abs().log1p() if compressed else hidden), dim=2)
    costs_s = (SOFT_LIMIT * torch.expm1(compressed_costs / SOFT_LIMIT))[0].double().numpy()
    for action in range(ALONE.action_counts[0]):
        _, outcome = ALONE.transition(state, np.full((batch, 1), action), exogenous)
        *delays_s, drift_s = costs_s[:, :, action].T
        at_rsu = others_wait and action % ALONE.num_nodes == 0  # there the backlogs of other DNNs share the processor
        for kind, seconds in zip(DELAYS, delays_s, strict=True):
            if not (at_rsu and kind == "process_s"):
                np.testing.assert_allclose(seconds, getattr(outcome, kind)[:, 0], rtol=2e-4, atol=1e-5)
        if not at_rsu:
            added = outcome.drift - drift_of_no_task(state, exogenous, outcome.rsu_allocation_ghz)
            np.testing.assert_allclose(ALONE.lyapunov_v * drift_s, added, rtol=1e-3, atol=1e-3)


def test_an_action_out_of_reach_costs_as_much_as_running_all_layers_locally() -> None:
    problem = replace(ALONE, v2v_range_m=300.0)
    observation = np.random.default_rng(0).uniform(0.1, 1.0, (1, 32, problem.observation_size)).astype(np.float32)
    far = np.arange(1, problem.num_nodes, 2)
    observation[..., problem.features.columns["v2v_mbps"].at.start + far - 1] = 0.0
    costs = np.stack(problem.action_costs().of(observation), axis=-1)[0]
    node, all_local = np.arange(problem.action_counts[0]) % problem.num_nodes, -problem.num_nodes
    out_of_reach = np.isin(node, far)
    np.testing.assert_allclose(costs[:, out_of_reach] - costs[:, [all_local]], 0.0, atol=1e-5)
    assert (abs(costs[:, ~out_of_reach] - costs[:, [all_local]]).sum(-1) > 1e-3).mean() > 0.9


def drift_of_no_task(state: State, exogenous: Exogenous, rsu_ghz: np.ndarray) -> np.ndarray:
    """Returns the drift of a slot in which nothing arrives."""
    backlog = np.hstack([state.client_backlog_gcycles, state.rsu_backlog_gcycles, state.service_backlog_gcycles])
    speed = np.hstack([exogenous.client_ghz, rsu_ghz, exogenous.service_ghz])
    next_backlog = next_backlog_gcycles(backlog, np.zeros_like(backlog), ALONE.slot_s * speed)
    return np.asarray(drift(backlog, next_backlog))


def test_costs_that_the_observation_cannot_give_are_refused() -> None:
    with pytest.raises(ValueError, match=r"observation must be 'extended' .*got 'paper'.* action_costs=False"):
        replace(ALONE, observation="paper").action_costs()


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_value_rises_with_every_agents_value(seed: int) -> None:
    torch.manual_seed(seed)
    mixer = Mixer(4, 6)
    values = torch.randn(32, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(mixer(values, 3.0 * torch.randn(32, 6)).sum(), values)
    assert (gradient >= 0.0).all()
    assert (gradient > 0.0).any()


def test_gradients_do_not_vanish_where_values_are_far_below_zero() -> None:
    torch.manual_seed(0)
    values, state = torch.full((8, 4), -1e3, requires_grad=True), torch.randn(8, 6)
    for activation, learns in (("leaky_relu", True), ("elu", False)):
        mixer = Mixer(4, 6, activation=activation)
        (gradient,) = torch.autograd.grad(mixer(values, state).sum(), values)
        assert bool((gradient > 1e-3).all()) is learns


def test_the_mixer_is_nonlinear() -> None:
    torch.manual_seed(0)
    mixer, state = Mixer(2, 3), torch.randn(1, 3)
    low, high = torch.tensor([[-2.0, -2.0]]), torch.tensor([[2.0, 2.0]])
    middle = mixer((low + high) / 2, state)
    assert not torch.allclose(middle, (mixer(low, state) + mixer(high, state)) / 2, atol=1e-3)
