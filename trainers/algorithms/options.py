"""What each learner can be told. Nothing here needs torch, so that a command line is read before it is imported.

Values without a section are open in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vec_envs.validation import count, fraction, not_negative, one_of, positive, positive_range

LOSSES = ("huber", "squared")
MIXING_ACTIVATIONS = ("leaky_relu", "elu")
PREDICTIONS = ("x0", "noise")
SPEEDS = ("full", "best")
CUTS = ("choices", "tanh")
COSTLIEST = 100.0
"""No task costs as much, unless queues run away."""


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What the training loop asks of a learner with replay: when it learns, how often, from how many transitions."""

    batch_size: int = 128
    """Transitions of a gradient step."""
    buffer_size: int = 50_000
    """Transitions kept for replay."""
    warm_up_episodes: int = 32
    """Episodes played before the first update."""
    updates_per_step: float = 1.0
    """Gradient steps for each step that the lanes take together."""

    def __post_init__(self) -> None:
        count(1, batch_size=self.batch_size, buffer_size=self.buffer_size)
        count(0, warm_up_episodes=self.warm_up_episodes)
        positive(updates_per_step=self.updates_per_step)


@dataclass(frozen=True, kw_only=True)
class RolloutOptions:
    """What the training loop asks of a learner that learns from what it has just played, and forgets it then."""

    steps: int = 25
    """Steps of all lanes after which it learns; it also does at the end of an episode."""
    batch_size: int = 200
    """Transitions of a gradient step, two at least: advantages are standardised among them."""
    repeats: int = 5
    """How often the transitions are gone over."""

    def __post_init__(self) -> None:
        count(1, steps=self.steps, repeats=self.repeats)
        count(2, batch_size=self.batch_size)


@dataclass(frozen=True, kw_only=True)
class QMIXOptions:
    """What P-QMIX and MAD2RL share. Sections are those of MAD2RL."""

    discount: float = 0.9
    """How much future rewards count; 0.99 in Section 8.1. The drift already counts the future cost of a backlog."""
    learning_rate: float = 1e-3
    """Of Adam; 5e-4 in Section 8.1."""
    final_learning_rate: float = 0.05
    """Part of the learning rate to which it falls, linearly, over the second half of the run: the round after the last
    would have it."""
    target_update_rate: float = 0.005
    """How fast the target networks follow; 0.001 in Section 8.1, which lags a thousand updates behind."""
    double_q: bool = True
    """The online network chooses the action that the target network values."""
    loss: str = "huber"
    """`"huber"` or `"squared"` (Eq. 58)."""
    huber_beta: float = 0.1
    """Errors of scaled values beyond it count linearly, not squared: runaway queues are not all that is learned."""
    value_penalty: float = 0.1
    """Weight of the mean square of all agents' values beside the loss, also of actions that an agent with fewer lacks;
    0 for none. The mixer is free to scale them."""
    max_grad_norm: float = 10.0
    """Bound of the gradient of all weights together; 0 for none."""
    reward_scale: float = 0.03
    """Rewards are multiplied by it before learning."""
    act_lagged: bool = True
    """Whether the learned policy is the lagged network, an average over the last updates, not the online one."""
    compress: bool = True
    """Whether networks see sign(x) log(1 + |x|) of the observation: a runaway queue is tame, an ordinary one as is."""
    exploration_start: float = 0.3
    """Probability that a client acts at random, at first. Where all do, queues run away and nothing else is seen."""
    exploration_end: float = 0.02
    """The same at last."""
    exploration_fraction: float = 0.5
    """Part of the run over which exploration falls linearly."""
    hidden: int = 256
    """Neurons of each hidden layer of an agent. Section 8.1."""
    hidden_layers: int = 3
    """Hidden layers of an agent. Section 8.1."""
    action_features: bool = True
    """Whether the value of an action is also made of what it shares with others: node, cut, work and data."""
    action_costs: bool = True
    """Whether it is also made of the delays and the drift that the action would bring by what the client sees; with
    the extended observation alone."""
    mixing_embedding: int = 32
    """Neurons of the mixer's hidden layer."""
    mixing_activation: str = "leaky_relu"
    """Of the mixer: `"leaky_relu"`, or `"elu"` as in QMIX, which is flat far below zero."""
    hypernetwork_hidden: int = 64
    """Neurons of each hidden layer of the networks that give the mixer's weights. Section 8.1."""
    hypernetwork_layers: int = 2
    """Hidden layers of these. Section 8.1."""

    def __post_init__(self) -> None:
        fraction(discount=self.discount, target_update_rate=self.target_update_rate)
        fraction(final_learning_rate=self.final_learning_rate)
        fraction(exploration_start=self.exploration_start, exploration_end=self.exploration_end)
        fraction(exploration_fraction=self.exploration_fraction)
        positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale, huber_beta=self.huber_beta)
        count(1, hidden=self.hidden, hidden_layers=self.hidden_layers, hypernetwork_hidden=self.hypernetwork_hidden)
        count(1, mixing_embedding=self.mixing_embedding)
        count(0, hypernetwork_layers=self.hypernetwork_layers)
        not_negative(max_grad_norm=self.max_grad_norm, value_penalty=self.value_penalty)
        one_of(LOSSES, loss=self.loss)
        one_of(MIXING_ACTIVATIONS, mixing_activation=self.mixing_activation)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at this part, 0 to 1, of the run."""
        return falling(self.exploration_start, self.exploration_end, self.exploration_fraction, progress)


@dataclass(frozen=True, kw_only=True)
class DenoiserOptions:
    """What MAD2RL has beside QMIX."""

    denoising_steps: int = 3
    """M, steps of the reverse process; 7 in Section 8.3.1."""
    beta_min: float = 0.1
    """Where the noise schedule begins; open in the paper."""
    beta_max: float = 10.0
    """Where it ends; open in the paper."""
    prediction: str = "x0"
    """What the network predicts: `"x0"`, through a smooth bound, or `"noise"` (Eq. 39)."""
    bound: float = 30.0
    """Predicted values are bounded to +- this by a scaled tanh; 0 for no bound. Only with `"x0"`."""
    noise: float = 0.0
    """Scale of the reverse process's noise, 1 in Eq. (40); 0 makes it deterministic."""
    softmax: bool = False
    """Whether values are a softmax over the actions (Eq. 41)."""
    step_embedding: int = 16
    """Size of the sinusoidal embedding of m."""

    def __post_init__(self) -> None:
        count(1, denoising_steps=self.denoising_steps)
        if self.step_embedding < 2 or self.step_embedding % 2:
            raise ValueError(f"step_embedding={self.step_embedding!r} must be an even number of at least 2")
        positive_range(beta=(self.beta_min, self.beta_max))
        one_of(PREDICTIONS, prediction=self.prediction)
        not_negative(bound=self.bound, noise=self.noise)


@dataclass(frozen=True, kw_only=True)
class SACOptions:
    """The options of SAC. Sections are those of RTD."""

    discount: float = 0.95
    """How much future rewards count, a decision at the same unit later. A queue of some seconds is gone after as
    few tasks."""
    learning_rate: float = 3e-3
    """Of Adam, for the actor, the critics and the temperature; 0.05 in Section IV.C."""
    final_learning_rate: float = 0.05
    """Part of the learning rate to which it falls, linearly, over the second half of the run: the round after the last
    would have it."""
    target_update_rate: float = 0.005
    """How fast the two target critics follow."""
    temperature: float = 0.2
    """mu at first: what a unit of entropy is worth in scaled reward."""
    temperature_range: tuple[float, float] = (0.001, 1.0)
    """Within which mu is adapted. Section IV.A."""
    target_entropy: float = -4.3
    """Entropy that mu is adapted to, of a choice and the numbers that go with it together."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it before learning."""
    reward_floor: float = -8.0
    """Scaled rewards are held at this: the waits of the first episodes, in which queues run away, teach nothing."""
    exploration: float = 0.1
    """Probability that a training action is random: a narrow policy no longer sees what lies elsewhere."""
    exploration_ends: tuple[float, float] = (0.15, 0.6)
    """Parts of the random actions that send all layers, and that run all at the vehicle; the rest takes any cut. Both
    are often best, but where most send work, queues run away and nothing else is seen."""
    average_rate: float = 0.002
    """How fast the learned policy's average follows the actor; 1 for the actor itself."""
    compress: bool = True
    """Whether networks see sign(x) log(1 + |x|) of the observation."""
    hidden: int = 64
    """Neurons of each hidden layer of the actor and of the critics."""
    hidden_layers: int = 2
    """Hidden layers of each."""
    improved: int = 2
    """Alternatives of each situation whose numbers a gradient step improves."""

    def __post_init__(self) -> None:
        fraction(discount=self.discount, target_update_rate=self.target_update_rate, exploration=self.exploration)
        fraction(final_learning_rate=self.final_learning_rate, average_rate=self.average_rate)
        for n, part in enumerate(self.exploration_ends):
            fraction(**{f"exploration_ends[{n}]": part})
        fraction(**{"the sum of exploration_ends": sum(self.exploration_ends)})
        positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale, average_rate=self.average_rate)
        positive_range(temperature_range=self.temperature_range)
        low, high = self.temperature_range
        if not low <= self.temperature <= high:
            raise ValueError(f"temperature={self.temperature!r} must be within temperature_range={low, high}")
        if not self.reward_floor < 0.0:
            raise ValueError(f"reward_floor={self.reward_floor!r} must be below 0")
        count(1, hidden=self.hidden, hidden_layers=self.hidden_layers, improved=self.improved)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action: before any update all are, then few beside the policy's own."""
        return 1.0 if warm_up else self.exploration


@dataclass(frozen=True, kw_only=True)
class DQNOptions:
    """The options of DQN. Sections are those of RTD."""

    discount: float = 0.9
    """How much future rewards count, a decision at the same unit later."""
    learning_rate: float = 1e-3
    """Of Adam; 0.05 in Section IV.C."""
    final_learning_rate: float = 0.05
    """Part of the learning rate to which it falls, linearly, over the second half of the run: the round after the last
    would have it."""
    speeds: str = "full"
    """At which speeds both sides run: `"full"`, as the baseline has it, or `"best"`, at which work costs least. At full
    speeds a Gcycle costs more at a unit than at any vehicle, so that all local is the answer to everything."""
    target_update_steps: int = 250
    """Gradient steps after which the target network is copied anew."""
    double_q: bool = True
    """The online network chooses the action that the target network values."""
    loss: str = "huber"
    """`"huber"` or `"squared"`."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it before learning."""
    reward_floor: float = -8.0
    """Scaled rewards are held at this, as in SAC."""
    compress: bool = True
    """Whether networks see sign(x) log(1 + |x|) of the observation."""
    exploration_start: float = 0.5
    """Probability of a random action, at first."""
    exploration_end: float = 0.02
    """The same at last."""
    exploration_fraction: float = 0.5
    """Part of the run over which exploration falls linearly."""
    hidden: int = 128
    """Neurons of each hidden layer."""
    hidden_layers: int = 2
    """How many there are."""

    def __post_init__(self) -> None:
        fraction(discount=self.discount, exploration_start=self.exploration_start, exploration_end=self.exploration_end)
        fraction(exploration_fraction=self.exploration_fraction, final_learning_rate=self.final_learning_rate)
        positive(learning_rate=self.learning_rate, reward_scale=self.reward_scale)
        if not self.reward_floor < 0.0:
            raise ValueError(f"reward_floor={self.reward_floor!r} must be below 0")
        one_of(SPEEDS, speeds=self.speeds)
        count(1, target_update_steps=self.target_update_steps, hidden=self.hidden, hidden_layers=self.hidden_layers)
        one_of(LOSSES, loss=self.loss)

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at this part, 0 to 1, of the run: before any update all are."""
        if warm_up:
            return 1.0
        return falling(self.exploration_start, self.exploration_end, self.exploration_fraction, progress)


@dataclass(frozen=True, kw_only=True)
class PPOOptions:
    """The options of PPO. Sections are those of LyMDO."""

    cuts: str = "choices"
    """How cuts are drawn: `"choices"`, a categorical distribution for each device, or `"tanh"`, a normal one whose
    numbers become cuts by a tanh (Eq. 13). Where the action also gives resources all numbers are like the latter."""
    discount: float = 0.0
    """How much future rewards count; open in the paper. What overspending costs later is in the queues of the
    reward: Lyapunov's method makes every slot a problem of its own."""
    gae_lambda: float = 0.95
    """How far advantages look ahead; 1 in Eq. (16)."""
    learning_rate: float = 1e-3
    """Of Adam, for actor and critic; 3e-4 in Section V.A."""
    final_learning_rate: float = 0.05
    """Part of the learning rate to which it falls, linearly, over the second half of the run: the round after the last
    would have it."""
    clip: float = 0.2
    """How far the ratio of new to old probabilities counts. Section V.A."""
    entropy_weight: float = 0.1
    """What entropy is worth beside the clipped gain, at first."""
    final_entropy_weight: float = 0.001
    """What it falls to, by the same part in every round: the round after the last would have it. A policy that settles
    early settles before it tells states apart."""
    value_weight: float = 0.5
    """Of the critic's loss beside the actor's."""
    max_grad_norm: float = 0.5
    """Bound of the gradient of all weights together; 0 for none."""
    reward_scale: float = 0.1
    """Rewards are multiplied by it before learning."""
    compress_reward: bool = True
    """Whether sign(r) log(1 + |r|) of a scaled reward is learned: by what part decisions are worse counts, whether
    queues have run away or not. Where the future is not discounted to nothing it is another aim."""
    compress: bool = True
    """Whether networks see sign(x) log(1 + |x|) of the observation."""
    usual_rate: float = 0.05
    """How fast the averages by which networks standardise what they see follow; 0 for none. A channel's fading is a
    tenth of its logarithm."""
    first_scale: float = 0.6
    """Standard deviation of numbers at first, before the tanh."""
    hidden: tuple[int, ...] = (128, 64)
    """Neurons of each hidden layer of actor and critic. Section V.A."""

    def __post_init__(self) -> None:
        one_of(CUTS, cuts=self.cuts)
        fraction(discount=self.discount, gae_lambda=self.gae_lambda, final_learning_rate=self.final_learning_rate)
        fraction(usual_rate=self.usual_rate)
        positive(learning_rate=self.learning_rate, clip=self.clip, reward_scale=self.reward_scale)
        positive(first_scale=self.first_scale)
        positive(entropy_weight=self.entropy_weight, final_entropy_weight=self.final_entropy_weight)
        not_negative(max_grad_norm=self.max_grad_norm, value_weight=self.value_weight)
        if not self.hidden:
            raise ValueError("hidden is empty; actor and critic need a hidden layer at least")
        for n, size in enumerate(self.hidden):
            count(1, **{f"hidden[{n}]": size})

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns what entropy is worth at this part, 0 to 1, of the run: the policy's own draws explore."""
        return self.entropy_weight * (self.final_entropy_weight / self.entropy_weight) ** progress


def falling(start: float, end: float, part: float, progress: float) -> float:
    """Returns what falls linearly from `start` to `end` over the first `part` of a run, and then stays."""
    passed = 1.0 if part == 0.0 else min(progress / part, 1.0)
    return start + (end - start) * passed


def check_floor(problem: Any, options: SACOptions | DQNOptions) -> None:
    """Refuses a floor under scaled rewards for which it was not made: whole costs of ordinary tasks are below it."""
    lowest = -COSTLIEST * options.reward_scale
    if problem.reward == "cost" and options.reward_floor > lowest:
        raise ValueError(
            f"reward_floor={options.reward_floor} would hold ordinary rewards of reward='cost': take --env.reward "
            f"excess, or --learner.reward-floor {lowest:g} and below"
        )


def annealed(final: float, progress: float) -> float:
    """Returns the part of the learning rate at a part of the run: all of it, then falling to `final`."""
    return 1.0 - (1.0 - final) * max(0.0, 2.0 * progress - 1.0)
