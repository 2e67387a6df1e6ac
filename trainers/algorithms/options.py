"""The options of each learner. Nothing here needs torch, so that a command line is read before torch is imported.

A value without a section is not stated in its paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vec_envs.validation import (
    check_fraction,
    check_integer,
    check_not_negative,
    check_one_of,
    check_positive,
    check_positive_range,
)

LOSSES = ("huber", "squared")
MIXING_ACTIVATIONS = ("leaky_relu", "elu")
SPEEDS = ("full", "best")
CUTS = ("choices", "tanh")
ACTORS = ("hybrid", "gaussian")
COSTLIEST = 100.0
"""The largest cost of a task while queues do not grow without bound."""


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """Options of a replay buffer: its size, the batch size, and the frequency of gradient steps."""

    batch_size: int = 128
    """Transitions of a gradient step."""
    buffer_size: int = 50_000
    """Transitions that the replay buffer stores."""
    warm_up_episodes: int = 32
    """Episodes before the first gradient step."""
    updates_per_step: float = 1.0
    """Gradient steps for each step of all environments together."""

    def __post_init__(self) -> None:
        check_integer(1, batch_size=self.batch_size, buffer_size=self.buffer_size)
        check_integer(0, warm_up_episodes=self.warm_up_episodes)
        check_positive(updates_per_step=self.updates_per_step)


@dataclass(frozen=True, kw_only=True)
class RolloutOptions:
    """Options of on-policy rollouts, which are used once and then dropped."""

    steps: int = 25
    """Steps of all environments after which the learner learns; it also learns at the end of an episode."""
    batch_size: int = 200
    """Transitions of a gradient step, at least two, because advantages are divided by their standard deviation."""
    repeats: int = 5
    """Number of passes over the transitions."""

    def __post_init__(self) -> None:
        check_integer(1, steps=self.steps, repeats=self.repeats)
        check_integer(2, batch_size=self.batch_size)


@dataclass(frozen=True, kw_only=True)
class QMIXOptions:
    """The options that P-QMIX and MAD2RL share. Sections are those of MAD2RL."""

    discount: float = 0.9
    """Discount factor; 0.99 in Section 8.1. The drift already counts the future cost of a backlog."""
    learning_rate: float = 1e-3
    """Learning rate of Adam; 5e-4 in Section 8.1."""
    final_learning_rate: float = 0.05
    """Final learning rate as a fraction of the initial one; it falls linearly in the second half of the run."""
    target_update_rate: float = 0.005
    """Rate of the soft updates of the target networks; 0.001 in Section 8.1, a lag of a thousand updates."""
    double_q: bool = True
    """Double Q-learning: the online network chooses the action that the target network values."""
    loss: str = "huber"
    """Loss of the values: `"huber"` or `"squared"` (Eq. 58)."""
    huber_beta: float = 0.1
    """Error of scaled values from which the Huber loss is linear, so that queues that grow without bound do not
    dominate the loss."""
    value_penalty: float = 0.1
    """Weight of the mean square of all agents' values in the loss; 0 for no penalty. It bounds the values, whose scale
    the mixer leaves open. The padding of agents with fewer actions counts too."""
    max_grad_norm: float = 10.0
    """Largest norm of the gradient of all weights together; 0 for no bound."""
    reward_scale: float = 0.03
    """Factor of rewards before learning."""
    act_lagged: bool = True
    """Whether the learned policy uses the target network, an average over the last updates."""
    compress: bool = True
    """Whether networks take sign(x) log(1 + |x|) of the observation, which keeps very long queues small."""
    exploration_start: float = 0.3
    """Initial probability of a random action of a client. If all act at random, queues grow without bound, and no
    other states are visited."""
    exploration_end: float = 0.02
    """Final probability of a random action."""
    exploration_fraction: float = 0.5
    """Fraction of the run over which the probability of a random action falls linearly."""
    hidden: int = 256
    """Neurons of each hidden layer of an agent. Section 8.1."""
    hidden_layers: int = 3
    """Hidden layers of an agent. Section 8.1."""
    share_weights: bool = False
    """Whether agents share weights. With False each agent has its own, as in Section 8.1. With True, clients of DNN
    partitioning keep only their own biases. The value of an action then depends on its node, work, data and known
    costs, and not on its index, so clients can work with DNNs that they were not trained on. `action_features` has no
    effect then. In other problems all agents become one network, which needs agents with the same actions."""
    action_features: bool = True
    """Whether the value of an action also depends on features that actions share, such as node, cut, work and data.
    Only for problems that have `action_features`."""
    action_costs: bool = True
    """Whether the value of an action also depends on its costs, as far as an agent's observation determines them. Only
    for problems that have `action_costs`, such as DNN partitioning with the extended observation."""
    cost_prior: float = 0.0
    """Weight of the known costs in the initial value of an action. With 1 an untrained agent values an action at minus
    the sum of its known costs, where each cost is compressed above 5 s. So it takes one of the actions of least cost.
    With 0 the known costs do not count before training. Known costs are in s; the reward of DNN partitioning is V times
    as large. Only for problems that have `action_costs`."""
    action_scorer: int = 0
    """Neurons of each hidden layer of a network that scores actions; 0 for no such network. It scores the 16 actions of
    least known cost, which may include waiting. All others get the least of these scores. Its inputs are the known
    costs and, for example, the load and the link of the node. The value of an action is its score minus `cost_prior`
    times its known costs. Denoising steps of MAD2RL do not change such values. Only for problems whose `action_costs`
    give inputs."""
    mix_advantages: bool = False
    """Input of the mixer for each agent: False for the value of the agent's action, True for its advantage. The
    advantage is this value minus the value of the best legal action, so it is at most 0. Then only the mixer learns how
    large returns are on average, and agents learn only how actions differ."""
    mixing_embedding: int = 32
    """Neurons of the mixer's hidden layer."""
    mixing_activation: str = "leaky_relu"
    """Activation of the mixer: `"leaky_relu"`, or `"elu"` as in QMIX, which is flat far below zero."""
    hypernetwork_hidden: int = 64
    """Neurons of each hidden layer of the hypernetworks, which give the mixer's weights. Section 8.1."""
    hypernetwork_layers: int = 2
    """Hidden layers of the hypernetworks. Section 8.1."""

    def __post_init__(self) -> None:
        check_fraction(discount=self.discount, target_update_rate=self.target_update_rate)
        check_fraction(final_learning_rate=self.final_learning_rate)
        check_fraction(exploration_start=self.exploration_start, exploration_end=self.exploration_end)
        check_fraction(exploration_fraction=self.exploration_fraction)
        check_positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale, huber_beta=self.huber_beta)
        check_integer(
            1, hidden=self.hidden, hidden_layers=self.hidden_layers, hypernetwork_hidden=self.hypernetwork_hidden
        )
        check_integer(1, mixing_embedding=self.mixing_embedding)
        check_integer(0, hypernetwork_layers=self.hypernetwork_layers, action_scorer=self.action_scorer)
        check_not_negative(max_grad_norm=self.max_grad_norm, value_penalty=self.value_penalty)
        check_not_negative(cost_prior=self.cost_prior)
        check_one_of(LOSSES, loss=self.loss)
        check_one_of(MIXING_ACTIVATIONS, mixing_activation=self.mixing_activation)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at a fraction `progress` of the run."""
        return falling(self.exploration_start, self.exploration_end, self.exploration_fraction, progress)


@dataclass(frozen=True, kw_only=True)
class SACOptions:
    """The options of SAC. Sections are those of RTD."""

    actor: str = "hybrid"
    """`"hybrid"`, for problems that have `hybrid`: a categorical choice with continuous parameters, and critics that
    receive the known reward and effects of an action. `"gaussian"`, plain SAC: one normal distribution before a tanh
    over all numbers of the action, and critics Q(s, a) that learn from rewards alone (Section III.B)."""
    discount: float = 0.95
    """Discount factor per decision at the same roadside unit. A queue of a few seconds is served within a few tasks."""
    learning_rate: float = 3e-3
    """Learning rate of Adam for the actor, the critics and the temperature; 0.05 in Section IV.C."""
    final_learning_rate: float = 0.05
    """Final learning rate as a fraction of the initial one; it falls linearly in the second half of the run."""
    target_update_rate: float = 0.005
    """Rate of the soft updates of the two target critics."""
    temperature: float = 0.2
    """Initial temperature mu: the weight of entropy in scaled reward."""
    temperature_range: tuple[float, float] = (0.001, 1.0)
    """Range of the adapted temperature mu. Section IV.A."""
    target_entropy: float = -4.3
    """Entropy to which mu is adapted: that of a choice and its continuous parameters together."""
    reward_scale: float = 1.0
    """Factor of rewards before learning."""
    reward_floor: float = -8.0
    """Lower bound of scaled rewards. The long waits of the first episodes, in which queues grow without bound, would
    otherwise dominate the loss."""
    exploration: float = 0.1
    """Probability of a random action in training, so that a narrow policy still visits other actions."""
    exploration_ends: tuple[float, float] = (0.15, 0.6)
    """Fractions of the random actions that take the first and the last choice; the others take any choice.
    With cuts, the first offloads all layers and the last none; both are often best. If most actions offload, queues
    grow without bound, and no other states are visited."""
    average_rate: float = 0.002
    """Rate of the soft updates of the learned policy, an average of the actor; 1 for the actor itself."""
    compress: bool = True
    """Whether networks take sign(x) log(1 + |x|) of the observation."""
    hidden: int = 64
    """Neurons of each hidden layer of the actor and of the critics."""
    hidden_layers: int = 2
    """Hidden layers of the actor and of the critics."""
    improved: int = 2
    """Choices of each observation whose continuous parameters a gradient step improves."""

    def __post_init__(self) -> None:
        check_one_of(ACTORS, actor=self.actor)
        check_fraction(discount=self.discount, target_update_rate=self.target_update_rate, exploration=self.exploration)
        check_fraction(final_learning_rate=self.final_learning_rate, average_rate=self.average_rate)
        for n, part in enumerate(self.exploration_ends):
            check_fraction(**{f"exploration_ends[{n}]": part})
        check_fraction(**{"the sum of exploration_ends": sum(self.exploration_ends)})
        check_positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale, average_rate=self.average_rate)
        check_positive_range(temperature_range=self.temperature_range)
        low, high = self.temperature_range
        if not low <= self.temperature <= high:
            raise ValueError(f"temperature={self.temperature!r} must be within temperature_range={low, high}")
        if not self.reward_floor < 0.0:
            raise ValueError(f"reward_floor={self.reward_floor!r} must be below 0")
        check_integer(1, hidden=self.hidden, hidden_layers=self.hidden_layers, improved=self.improved)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action: 1 in the warm-up, then `exploration`."""
        return 1.0 if warm_up else self.exploration


@dataclass(frozen=True, kw_only=True)
class DQNOptions:
    """The options of DQN. Sections are those of RTD."""

    discount: float = 0.9
    """Discount factor per decision at the same roadside unit."""
    learning_rate: float = 1e-3
    """Learning rate of Adam; 0.05 in Section IV.C."""
    final_learning_rate: float = 0.05
    """Final learning rate as a fraction of the initial one; it falls linearly in the second half of the run."""
    speeds: str = "full"
    """Speeds of vehicle and roadside unit: `"full"` (the highest, as in the baseline) or `"best"` (of least cost). At
    full speeds a Gcycle costs more at a unit than at any vehicle, so it is always best to run all layers locally."""
    target_update_steps: int = 250
    """Gradient steps between two copies to the target network."""
    double_q: bool = True
    """Double Q-learning: the online network chooses the action that the target network values."""
    loss: str = "huber"
    """Loss of the values: `"huber"` or `"squared"`."""
    reward_scale: float = 1.0
    """Factor of rewards before learning."""
    reward_floor: float = -8.0
    """Lower bound of scaled rewards, as in SAC."""
    compress: bool = True
    """Whether networks take sign(x) log(1 + |x|) of the observation."""
    exploration_start: float = 0.5
    """Initial probability of a random action."""
    exploration_end: float = 0.02
    """Final probability of a random action."""
    exploration_fraction: float = 0.5
    """Fraction of the run over which the probability of a random action falls linearly."""
    hidden: int = 128
    """Neurons of each hidden layer."""
    hidden_layers: int = 2
    """Number of hidden layers."""

    def __post_init__(self) -> None:
        check_fraction(
            discount=self.discount, exploration_start=self.exploration_start, exploration_end=self.exploration_end
        )
        check_fraction(exploration_fraction=self.exploration_fraction, final_learning_rate=self.final_learning_rate)
        check_positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale)
        if not self.reward_floor < 0.0:
            raise ValueError(f"reward_floor={self.reward_floor!r} must be below 0")
        check_one_of(SPEEDS, speeds=self.speeds)
        check_integer(
            1, target_update_steps=self.target_update_steps, hidden=self.hidden, hidden_layers=self.hidden_layers
        )
        check_one_of(LOSSES, loss=self.loss)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at a fraction `progress` of the run; 1 in the warm-up."""
        if warm_up:
            return 1.0
        return falling(self.exploration_start, self.exploration_end, self.exploration_fraction, progress)


@dataclass(frozen=True, kw_only=True)
class PPOOptions:
    """The options of PPO. Sections are those of LyMDO."""

    cuts: str = "choices"
    """Distribution of integer actions, such as cuts: `"choices"`, a categorical one for each agent, or `"tanh"`, a
    normal one whose samples become integers through a tanh (Eq. 13). Continuous actions always use `"tanh"`."""
    discount: float = 0.0
    """Discount factor of future rewards. Lyapunov's method makes every slot a problem of its own: the queues in the
    reward stand for the later cost of overspending."""
    gae_lambda: float = 0.95
    """Weight lambda of later rewards in the generalised advantages; 1 in Eq. (16)."""
    learning_rate: float = 1e-3
    """Learning rate of Adam for actor and critic; 3e-4 in Section V.A."""
    final_learning_rate: float = 0.05
    """Final learning rate as a fraction of the initial one; it falls linearly in the second half of the run."""
    clip: float = 0.2
    """Clipping range of the ratio of new to old probabilities. Section V.A."""
    entropy_weight: float = 0.1
    """Initial weight of the entropy in the loss."""
    final_entropy_weight: float = 0.001
    """Weight of the entropy at the end of the run, to which it falls exponentially. A policy that becomes deterministic
    too early does not distinguish states."""
    value_weight: float = 0.5
    """Weight of the critic's loss."""
    max_grad_norm: float = 0.5
    """Largest norm of the gradient of all weights together; 0 for no bound."""
    reward_scale: float = 0.1
    """Factor of rewards before learning."""
    compress_reward: bool = True
    """Whether sign(r) log(1 + |r|) of a scaled reward r is learned, so that relative differences count, also for very
    long queues. With a discount above 0 this changes the objective."""
    compress: bool = True
    """Whether networks take sign(x) log(1 + |x|) of the observation."""
    usual_rate: float = 0.05
    """Rate of the moving averages that normalise the features; 0 for no normalisation. It matters because fading
    changes the logarithm of a channel's gain only by a tenth."""
    first_scale: float = 0.6
    """Initial standard deviation of continuous actions, before the tanh."""
    hidden: tuple[int, ...] = (128, 64)
    """Neurons of each hidden layer of actor and critic. Section V.A."""

    def __post_init__(self) -> None:
        check_one_of(CUTS, cuts=self.cuts)
        check_fraction(discount=self.discount, gae_lambda=self.gae_lambda, final_learning_rate=self.final_learning_rate)
        check_fraction(usual_rate=self.usual_rate)
        check_positive(learning_rate=self.learning_rate, clip=self.clip, reward_scale=self.reward_scale)
        check_positive(first_scale=self.first_scale)
        check_positive(entropy_weight=self.entropy_weight, final_entropy_weight=self.final_entropy_weight)
        check_not_negative(max_grad_norm=self.max_grad_norm, value_weight=self.value_weight)
        if not self.hidden:
            raise ValueError("hidden=() must have at least one layer, for actor and critic")
        for n, size in enumerate(self.hidden):
            check_integer(1, **{f"hidden[{n}]": size})

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the weight of entropy at a fraction `progress` of the run; the policy explores by its own draws."""
        return self.entropy_weight * (self.final_entropy_weight / self.entropy_weight) ** progress


def falling(start: float, end: float, part: float, progress: float) -> float:
    """Returns a number that falls linearly from `start` to `end` over the first `part` of a run, then stays there."""
    passed = 1.0 if part == 0.0 else min(progress / part, 1.0)
    return start + (end - start) * passed


def check_floor(problem: Any, options: SACOptions | DQNOptions) -> None:
    """Raises `ValueError` for a reward floor that clips the rewards of ordinary tasks under `reward="cost"`."""
    lowest = -COSTLIEST * options.reward_scale
    if getattr(problem, "reward", None) == "cost" and options.reward_floor > lowest:
        raise ValueError(
            f"reward_floor={options.reward_floor} is above the rewards of ordinary tasks with reward='cost': use "
            f"--env.reward excess, or --learner.reward-floor {lowest:g} or less"
        )


def annealed(final: float, progress: float) -> float:
    """Returns the learning rate at a fraction `progress` of the run, as a fraction of the initial one.

    It is 1 in the first half of the run, and then falls linearly to `final`.
    """
    return 1.0 - (1.0 - final) * max(0.0, 2.0 * progress - 1.0)
