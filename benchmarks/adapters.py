"""Adapters that turn models of other libraries into policies of this project. Use one in a function of the problem:

    from pathlib import Path

    from benchmarks.adapters import StableBaselines3
    from stable_baselines3 import PPO

    def my_ppo(problem):
        file = Path(__file__).with_name(f"my_ppo_{problem.num_client_vehicles}.zip")  # one for each number of clients
        return StableBaselines3(PPO.load(file, device="cpu"), problem)

    my_ppo.env_ids = ("VEC-DNNPartition-v0",)
    my_ppo.files = ("my_ppo_3.zip", "my_ppo_5.zip", "my_ppo_7.zip")

Then run `python -m benchmarks.run main --policies my_module:my_ppo`. The other libraries are imported only when an
adapter needs them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from vec_envs.interfaces.spaces import JointLayout
from vec_envs.problems.base import DiscreteActions, DiscreteProblem, View


class OwnDraws:
    """A policy's own copy of torch's global random state, so that policies in one process do not affect each other."""

    def __init__(self) -> None:
        self._state: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Generator[None, None, None]:
        """Continues with the policy's random state, and restores the previous one afterwards."""
        import torch

        before = torch.get_rng_state()
        if self._state is not None:
            torch.set_rng_state(self._state)
        try:
            yield
        finally:
            self._state = torch.get_rng_state()
            torch.set_rng_state(before)


class StableBaselines3:
    """A model of Stable-Baselines3 that was trained on `gymnasium.make(...)`, with or without `flatten=True`.

    Args:
        model: The model.
        problem: The problem to play.
        deterministic: Whether the model takes its most likely action instead of drawing one.
        normalize: A function of observations that was applied in training, such as `normalize_obs` of the saved
            `VecNormalize`; a model's file does not hold it.
    """

    def __init__(
        self,
        model: Any,
        problem: Any,
        *,
        deterministic: bool = True,
        normalize: Callable[[Any], Any] | None = None,
    ) -> None:
        """Raises `ValueError` where the model was trained on other observations or actions."""
        self._model, self._problem, self._deterministic = model, problem, deterministic
        self._normalize = normalize
        self._draws = OwnDraws()
        flat = JointLayout(problem=problem, flatten=True)
        is_flat = model.observation_space.shape == flat.observation_space().shape
        self._layout = flat if is_flat else JointLayout(problem=problem)
        observed, acted = self._layout.observation_space(), self._layout.action_space()
        own, acts = model.observation_space.shape, model.action_space
        for what, theirs, needed in (
            # Bounds of observations are not compared: those that a problem knows may change between versions.
            ("observation", f"has shape {own}", f"has shape {observed.shape}"),
            ("action", f"is {acts}", f"is {acted}"),
        ):
            if theirs != needed:
                raise ValueError(
                    f"the model's {what} space {theirs}, the environment's {needed}: the model was trained on "
                    'another case, or with an option such as observation="extended", which `sees` must then contain'
                )

    def reset(self, seed: int) -> None:
        """Starts an episode; the model draws random numbers from `seed` on."""
        with self._draws():
            self._model.set_random_seed(seed)

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the model's actions."""
        encoded = self._layout.encode(observation)
        encoded = encoded if self._normalize is None else self._normalize(encoded)
        with self._draws():
            action, _ = self._model.predict(encoded, deterministic=self._deterministic)
        return self._layout.decode(np.asarray(action))


class TorchRL:
    """A policy of TorchRL or BenchMARL, trained on TorchRL's `PettingZooWrapper(parallel_env(padded=True))`.

    Args:
        module: The policy, which reads and writes a TensorDict.
        problem: The problem to play.
        group: The key of the group of agents in the TensorDict.
        observed: The key of the observations `[batch, agents, features]` in the group.
        masked: The key of the action masks in the group.
        acted: The key of the actions in the group, as integers or one-hot.
        explore: Whether actions are drawn; otherwise the mode of their distribution is taken.
    """

    def __init__(
        self,
        module: Any,
        problem: DiscreteProblem,
        *,
        group: str = "client",
        observed: Sequence[str] = ("observation", "observation"),
        masked: Sequence[str] = ("action_mask",),
        acted: Sequence[str] = ("action",),
        explore: bool = False,
    ) -> None:
        """Raises `ValueError` for a problem whose agents do not all choose an integer at every epoch."""
        if not isinstance(problem.actions, DiscreteActions) or problem.one_at_a_time:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{type(problem).__name__} has no agents that all choose an integer at every epoch")
        self._module, self._problem, self._explore = module, problem, explore
        self._draws = OwnDraws()
        self._observed, self._masked, self._acted = ((group, *key) for key in (observed, masked, acted))

    def reset(self, seed: int) -> None:
        """Starts an episode; the policy draws random numbers from `seed` on."""
        import torch

        with self._draws():
            torch.manual_seed(seed)

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the module's actions."""
        import torch
        from tensordict import TensorDict
        from tensordict.nn import InteractionType, set_interaction_type

        counts = np.array(self._problem.actions.counts)
        mask = torch.as_tensor(np.arange(counts.max()) < counts[:, None])
        batch = len(observation)
        inputs = {self._observed: torch.as_tensor(observation), self._masked: mask.expand(batch, -1, -1)}
        interaction = InteractionType.RANDOM if self._explore else InteractionType.DETERMINISTIC
        with torch.no_grad(), set_interaction_type(interaction), self._draws():
            action = self._module(TensorDict(inputs, batch_size=[batch]))[self._acted]
        return np.asarray(action.argmax(-1) if action.ndim == 3 else action)
