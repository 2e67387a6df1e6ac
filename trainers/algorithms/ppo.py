"""PPO, Tianshou's, for agents that all decide together: one actor and one critic see everything.

What is ours: what an action is, a choice for each agent among those that it has, or numbers that pass through a tanh;
draws and the order of batches come from generators that a checkpoint holds; rewards are scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from jaxtyping import Bool, Float32, Shaped
from tianshou.algorithm.modelfree.a2c import A2CTrainingStats
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from trainers.algorithms.options import PPOOptions
from trainers.networks.dense import Seen, Usual
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy

Observation = Float32[np.ndarray, "batch agents features"]
LEAST_LOGIT = -1e9


class Decisions(Protocol):
    """What an actor's outputs mean."""

    num_outputs: int

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """Of one stored action."""
        ...

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution: ...
    def drawn(self, distribution: Distribution, generators: Generators) -> Tensor:
        """Returns stored actions."""
        ...

    def taken(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns stored actions as the environment takes them."""
        ...


class AgentChoices:
    """An alternative for each agent, among those that `present` says there are."""

    def __init__(
        self, counts: tuple[int, ...], present: Callable[[Observation], Bool[np.ndarray, "batch agents actions"]]
    ) -> None:
        self._shape = len(counts), max(counts)
        self._present = present
        self.num_outputs = len(counts) * max(counts)
        self.action_space = gymnasium.spaces.MultiDiscrete(np.array(counts))

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution:
        """Returns a categorical distribution for each agent, all independent; what is not there has no part."""
        present = torch.as_tensor(self._present(observation), device=outputs.device)
        logits = outputs.unflatten(-1, self._shape).masked_fill(~present, LEAST_LOGIT)
        return Independent(Categorical(logits=logits, validate_args=False), 1, validate_args=False)

    def drawn(self, distribution: Any, generators: Generators) -> Tensor:
        """Returns alternatives drawn by their log-probabilities."""
        return generators.choices(distribution.base_dist.logits)

    def taken(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents"]:
        """Returns the alternatives as they are."""
        return act.astype(np.int64)


class TanhNumbers(nn.Module):
    """Numbers from a normal distribution, of which the environment takes what `taken_for` makes of their tanh.

    The tanh is the environment's: densities are those of the numbers before it. Their scales are learned, but are the
    same everywhere.
    """

    def __init__(
        self, shape: tuple[int, ...], *, first_scale: float, taken_for: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__()
        self._shape, self._taken_for = shape, taken_for
        self.num_outputs = int(np.prod(shape))
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.log_scale = nn.Parameter(torch.full(shape, float(np.log(first_scale))))

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution:
        """Returns independent normal distributions."""
        mean = outputs.unflatten(-1, self._shape)
        scale = self.log_scale.exp().expand_as(mean)
        return Independent(Normal(mean, scale, validate_args=False), len(self._shape), validate_args=False)

    def drawn(self, distribution: Any, generators: Generators) -> Tensor:
        """Returns drawn numbers."""
        normal = distribution.base_dist
        return normal.loc + normal.scale * generators.normal_like(normal.loc)

    def taken(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns what the environment takes."""
        return self._taken_for(np.tanh(act.astype(np.float64)))


class Head(nn.Module):
    """A linear layer over what is seen."""

    def __init__(self, seen: Seen, num_outputs: int, *, scale: float = 1.0, decisions: object = None) -> None:
        """`scale` makes the first outputs small; weights of `decisions`, where these have any, are learned with it."""
        super().__init__()
        self.seen, self.last = seen, nn.Linear(seen.get_output_dim(), num_outputs)
        self.decisions = decisions if isinstance(decisions, nn.Module) else None
        with torch.no_grad():
            self.last.weight.mul_(scale)
            self.last.bias.zero_()

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> Tensor:
        """Returns `[batch, outputs]` of `obs` [batch, agents, features]."""
        return self.last(self.seen(torch.as_tensor(obs, device=self.last.weight.device))[0])

    def watch(self, obs: Observation) -> None:
        """Lets what is usual follow what is seen."""
        if self.seen.usual is not None:
            self.seen.usual.soft_update(self.seen.flat(torch.as_tensor(obs, device=self.last.weight.device)))


class TogetherPolicy(ProbabilisticActorPolicy):
    """Decides for all agents together: drawn while training, otherwise the likeliest."""

    def __init__(self, actor: Head, *, decisions: Decisions, seed: int) -> None:
        super().__init__(
            actor=actor,  # pyright: ignore[reportArgumentType] # any module will do where `forward` is our own
            dist_fn=Categorical,
            action_space=decisions.action_space,
            action_scaling=False,
            action_bound_method=None,
        )
        self.decisions, self.head = decisions, actor
        self.exploration = 0.0
        self.generators = Generators(seed)

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
        """Returns stored actions of `batch.obs` [batch, agents, features], and their distribution."""
        dist = self.decisions.distribution(self.head(batch.obs), batch.obs)
        drawn = self.is_within_training_step
        return Batch(act=self.decisions.drawn(dist, self.generators) if drawn else dist.mode, dist=dist)

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions as they are: draws explore."""
        return act

    def taken(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns stored actions as the environment takes them."""
        return self.decisions.taken(act)


class Shuffled:
    """A batch that is split in an order from our own generator."""

    def __init__(self, batch: Batch, rng: np.random.Generator) -> None:
        self._batch, self._rng = batch, rng

    def split(self, size: int, *, merge_last: bool) -> Iterator[Batch]:
        """Yields parts of at least this size; the last one also has what is left over."""
        order = self._rng.permutation(len(self._batch))
        parts = max(len(order) // size, 1)
        for n in range(parts):
            yield self._batch[order[n * size : (n + 1) * size if n < parts - 1 else None]]


class SeededPPO(PPO):
    """PPO whose batches come in an order that a checkpoint holds.

    Paper: LyMDO Eqs. (15)-(18).
    Differs: advantages are Tianshou's generalised ones, which look ahead by `gae_lambda`, and are normalised by batch;
    the returns that the critic learns are theirs; entropy may be worth something.
    """

    policy: TogetherPolicy  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *, policy: TogetherPolicy, critic: Head, options: PPOOptions) -> None:
        super().__init__(
            policy=policy,
            critic=critic,
            optim=TorchOptimizerFactory(torch.optim.Adam, lr=options.learning_rate, fused=True),
            eps_clip=options.clip,
            vf_coef=options.value_weight,
            ent_coef=options.entropy_weight,
            max_grad_norm=options.max_grad_norm or None,
            gae_lambda=options.gae_lambda,
            max_batchsize=1 << 14,
            gamma=options.discount,
        )
        self.options = options
        self._heads = policy.head, critic

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        batch.rew = batch.rew * self.options.reward_scale
        if self.options.compress_reward:
            batch.rew = np.sign(batch.rew) * np.log1p(np.abs(batch.rew))
        return super()._preprocess_batch(batch, buffer, indices)

    def _update_with_batch(self, batch: Any, batch_size: int | None, repeat: int) -> A2CTrainingStats:
        """What is usual moves last: until then it is that of the policy which acted, of which ratios are taken."""
        self.ent_coef = self.policy.exploration
        stats = super()._update_with_batch(Shuffled(batch, self.policy.generators.numpy), batch_size, repeat)  # type: ignore[arg-type]
        for head in self._heads:
            head.watch(batch.obs)
        return stats


def assemble(*, size: int, decisions: Decisions, options: PPOOptions, seed: int) -> SeededPPO:
    """Returns PPO for observations of `size` numbers, all agents' together.

    Weights are drawn from torch's generator, the rest from `seed`.
    """

    def seen() -> Seen:
        usual = Usual(size, rate=options.usual_rate) if options.usual_rate else None
        return Seen(size, compress=options.compress, hidden=options.hidden, usual=usual)

    actor = Head(seen(), decisions.num_outputs, scale=0.01, decisions=decisions)
    policy = TogetherPolicy(actor, decisions=decisions, seed=seed)
    return SeededPPO(policy=policy, critic=Head(seen(), 1), options=options)


def likeliest(algorithm: SeededPPO) -> LearnedPolicy:
    """Returns the policy of the likeliest actions."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.taken(policy(Batch(obs=observation)).act.cpu().numpy(), observation)

    return LearnedPolicy(decide, policy, policy.generators)
