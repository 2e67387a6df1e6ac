"""QMIX solves a game that a sum of values cannot, and its parts work as described."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from tianshou.data import Batch
from tianshou.utils.torch_utils import policy_within_training_step
from torch import Tensor, nn

from trainers.algorithms.options import MIXING_ACTIVATIONS, QMIXOptions, ReplayOptions
from trainers.algorithms.qmix import QMIX, QMIXPolicy, greedy, mean_loss
from trainers.networks.agents import MLPAgents
from trainers.networks.mixer import Mixer
from trainers.tianshou_bridge.replay import ReplayBuffer

ONE_OF_TWO = gymnasium.spaces.MultiDiscrete([2])
PAYOFF_A = 7.0
PAYOFF_B = np.array([[0.0, 1.0], [1.0, 8.0]])


class Sum(nn.Module):
    """VDN's mixer."""

    def forward(self, values: Tensor, state: Tensor) -> Tensor:
        return values.sum(-1)


def all_transitions() -> dict[str, np.ndarray]:
    """Every transition of the two-step game: agent 0 chooses the matrix, then both play it."""
    rows = []
    one_hot = np.eye(3, dtype=np.float32)
    for a in range(2):
        for b in range(2):
            rows.append((one_hot[0], (a, b), 0.0, one_hot[1 + a], False))
            for matrix in range(2):
                payoff = PAYOFF_A if matrix == 0 else PAYOFF_B[a, b]
                rows.append((one_hot[1 + matrix], (a, b), payoff, one_hot[0], True))
    names = ("obs", "act", "rew", "obs_next", "terminated")
    columns = {name: np.array([row[n] for row in rows]) for n, name in enumerate(names)}
    for name in ("obs", "obs_next"):
        columns[name] = np.repeat(columns[name][:, None], 2, axis=1)
    return columns


def learned(mixer: nn.Module, *, updates: int = 800, **options: Any) -> QMIX:
    network = MLPAgents(num_agents=2, observation_size=3, num_actions=2, hidden=32, hidden_layers=1)
    policy = QMIXPolicy(
        network,
        action_space=gymnasium.spaces.MultiDiscrete([2, 2]),
        action_exists=np.ones((2, 2), bool),
        compress=False,
        seed=0,
    )
    values = QMIXOptions(
        **{"discount": 0.99, "reward_scale": 1.0, "target_update_rate": 0.05, "learning_rate": 2e-3, **options}
    )
    algorithm = QMIX(policy=policy, mixer=mixer, options=values)
    buffer = ReplayBuffer(12, observation_shape=(2, 3), action_space=policy.action_space, seed=0)
    buffer.add(**all_transitions())
    with policy_within_training_step(policy):
        for _ in range(updates):
            algorithm.update(buffer, 48)
    return algorithm


def payoff_of(algorithm: QMIX) -> float:
    """Plays the game greedily."""
    one_hot = np.eye(3, dtype=np.float32)

    def act(state: int) -> list[int]:
        observation = torch.as_tensor(np.stack([one_hot[state]] * 2))[None]
        return algorithm.policy.values(algorithm.policy.network, observation).argmax(-1)[0].tolist()

    matrix = act(0)[0]
    a, b = act(1 + matrix)
    return PAYOFF_A if matrix == 0 else float(PAYOFF_B[a, b])


@pytest.mark.slow
@pytest.mark.parametrize("activation", MIXING_ACTIVATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_qmix_solves_the_two_step_game(seed: int, activation: str) -> None:
    torch.manual_seed(seed)
    assert payoff_of(learned(Mixer(2, 6, activation=activation))) == 8.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sum_of_values_cannot_solve_it(seed: int) -> None:
    torch.manual_seed(seed)
    assert payoff_of(learned(Sum())) == 7.0


@pytest.mark.slow
def test_values_of_terminated_slots_are_their_rewards() -> None:
    torch.manual_seed(0)
    algorithm = learned(Mixer(2, 6))
    state = torch.eye(3)[1].repeat(2)[None]
    value = algorithm.policy.network(state.view(1, 2, 3), algorithm.policy.generators.torch)
    joint = algorithm.mixer(value.max(-1).values, state)
    assert joint.item() == pytest.approx(7.0, abs=0.3)


@pytest.mark.slow
def test_the_penalty_leaves_the_scale_of_values_to_the_mixer() -> None:
    largest = list[float]()
    for penalty in (0.0, 3.0):
        torch.manual_seed(0)
        algorithm = learned(Mixer(2, 6), value_penalty=penalty)
        values = algorithm.policy.network(torch.eye(3)[:, None].repeat(1, 2, 1), algorithm.policy.generators.torch)
        largest.append(values.abs().max().item())
        assert payoff_of(algorithm) == 8.0
    free, held = largest
    assert held < 0.5 * free


def test_large_errors_count_linearly_or_squared() -> None:
    near, far = (mean_loss(torch.tensor([x]), torch.zeros(1), QMIXOptions(huber_beta=0.1)).item() for x in (0.05, 1.0))
    assert (near, far) == pytest.approx((0.05**2 / 0.2, 1.0 - 0.05))
    assert mean_loss(torch.tensor([3.0]), torch.zeros(1), QMIXOptions(loss="squared")).item() == 9.0


def test_targets_move_by_soft_updates() -> None:
    torch.manual_seed(0)
    algorithm = learned(Mixer(2, 6), updates=1, target_update_rate=0.25, learning_rate=0.1)
    torch.manual_seed(0)
    fresh = learned(Mixer(2, 6), updates=0)
    for before, online, target in zip(
        fresh.mixer.parameters(), algorithm.mixer.parameters(), algorithm.target_mixer.parameters(), strict=True
    ):
        torch.testing.assert_close(target, 0.25 * online + 0.75 * before)


@pytest.mark.parametrize("double_q", [True, False])
def test_targets_use_the_target_networks_value_of_the_selected_action(double_q: bool) -> None:
    """Online and target networks disagree, so that the result shows which of them selected the action."""
    algorithm = disagreeing(double_q=double_q)
    of_online = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # action 0, action 1
    of_target = torch.tensor([[2.0, 5.0], [7.0, 3.0]])  # action 1, action 0
    set_values(algorithm.policy.network, of_online)
    set_values(algorithm.target_network, of_target)
    observation = np.zeros((1, 2, 3), np.float32)
    batch = Batch(obs=observation, obs_next=observation, rew=np.ones(1, np.float32), terminated=np.array([False]))
    returns = algorithm._preprocess_batch(batch, None, np.zeros(1, int)).returns
    best = of_target.gather(-1, (of_online if double_q else of_target).argmax(-1, keepdim=True)).sum()
    assert returns.item() == pytest.approx(1.0 + 0.5 * best.item())


@pytest.mark.parametrize("act_lagged", [True, False])
def test_the_target_network_or_the_online_network_decides(act_lagged: bool) -> None:
    algorithm = disagreeing(act_lagged=act_lagged)
    set_values(algorithm.policy.network, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    set_values(algorithm.target_network, torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    assert (greedy(algorithm).act(np.zeros((4, 2, 3), np.float32)) == int(act_lagged)).all()


def disagreeing(**options: Any) -> QMIX:
    return learned(Sum(), updates=0, discount=0.5, **options)


def set_values(network: Any, values: Tensor) -> None:
    """Makes a network return these values, `[agents, actions]`, for any observation."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        (bias,) = (of for name, of in network.named_parameters() if name.endswith("head.own.bias"))
        bias.copy_(values[:, None])


def test_actions_that_an_agent_lacks_are_never_taken() -> None:
    torch.manual_seed(0)
    mask = np.array([[True, True, True], [True, False, False]])
    network = MLPAgents(num_agents=2, observation_size=3, num_actions=3, hidden=8, hidden_layers=1)
    policy = QMIXPolicy(
        network, action_space=gymnasium.spaces.MultiDiscrete([3, 1]), action_exists=mask, compress=True, seed=0
    )
    policy.exploration = 1.0
    observation = np.random.default_rng(0).normal(size=(200, 2, 3)).astype(np.float32)
    greedy = policy.values(network, torch.as_tensor(observation)).argmax(-1).numpy()
    explored = policy.add_exploration_noise(greedy, None)
    assert (greedy[:, 1] == 0).all()
    assert (explored[:, 1] == 0).all()
    assert set(explored[:, 0]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discount": 1.5}, "discount must be .*, got 1.5"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"loss": "l3"}, "loss must be one of 'huber', .*got 'l3'"),
        ({"mixing_activation": "relu"}, "mixing_activation must be one of 'leaky_relu', 'elu'.*got 'relu'"),
        ({"huber_beta": 0.0}, "huber_beta must be .*, got 0.0"),
        ({"value_penalty": -1.0}, "value_penalty must be .*, got -1.0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QMIXOptions(**options)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"updates_per_step": 0.0}, {"warm_up_episodes": -1}])
def test_wrong_options_of_replay_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        ReplayOptions(**options)


def test_exploration_falls_and_then_stays() -> None:
    options = QMIXOptions(exploration_start=0.4, exploration_end=0.1, exploration_fraction=0.5)
    assert [options.explores(p, warm_up=False) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.4, 0.25, 0.1, 0.1])


def test_replay_draws_many_slots_and_comes_back_from_its_state() -> None:
    def filled(seed: int) -> ReplayBuffer:
        buffer = ReplayBuffer(19_200, observation_shape=(1, 1), action_space=ONE_OF_TWO, seed=seed)
        for slot in range(300):
            column = np.full((64, 1, 1), slot, np.float32)
            buffer.add(column, np.zeros((64, 1), np.int64), np.zeros(64, np.float32), column, np.zeros(64, bool))
        return buffer

    buffer = filled(0)
    slots = buffer.sample(256)[0].obs.ravel()
    assert len(np.unique(slots)) > 140
    state, random = buffer.state_dict(), buffer.random_state()
    other = ReplayBuffer(19_200, observation_shape=(1, 1), action_space=ONE_OF_TWO, seed=9)
    other.load_state_dict(state)
    other.set_random_state(random)
    np.testing.assert_array_equal(other.sample(256)[0].obs, buffer.sample(256)[0].obs)


def test_replay_writes_over_the_oldest() -> None:
    buffer = ReplayBuffer(5, observation_shape=(1, 1), action_space=ONE_OF_TWO, seed=0)
    for slot in range(4):
        column = np.full((2, 1, 1), slot, np.float32)
        buffer.add(column, np.zeros((2, 1), np.int64), np.zeros(2, np.float32), column, np.zeros(2, bool))
    assert len(buffer) == 5
    assert set(buffer.sample(200)[0].obs.ravel()) == {1.0, 2.0, 3.0}


@pytest.mark.parametrize(
    ("space", "shape", "dtype"),
    [
        (gymnasium.spaces.MultiDiscrete([3, 1]), (2,), np.int64),
        (gymnasium.spaces.Discrete(9), (), np.int64),
        (gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32), (3,), np.float32),
    ],
)
def test_replay_keeps_actions_as_their_space_says(
    space: gymnasium.Space, shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    buffer = ReplayBuffer(4, observation_shape=(1, 2), action_space=space, seed=0)
    observation = np.zeros((3, 1, 2), np.float32)
    buffer.add(observation, np.stack([space.sample()] * 3), np.zeros(3), observation, np.zeros(3, bool))
    act = buffer.sample(5)[0].act
    assert (act.shape, act.dtype) == ((5, *shape), dtype)


def test_compression_keeps_sign_and_order() -> None:
    network = MLPAgents(num_agents=1, observation_size=1, num_actions=2, hidden=8, hidden_layers=1)
    space = gymnasium.spaces.MultiDiscrete([2])
    policy = QMIXPolicy(network, action_space=space, action_exists=np.ones((1, 2), bool), compress=True, seed=0)
    x = np.linspace(-50, 50, 101)
    y = policy.encode(x)
    assert (y.diff() > 0).all()
    np.testing.assert_array_equal(y.sign().numpy(), np.sign(x))
    assert policy.encode(np.array([1e-3])).item() == pytest.approx(1e-3, rel=1e-3)
