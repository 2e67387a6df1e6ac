"""Policies of other libraries as policies of this one: written around a model, in a function of the problem.

    from pathlib import Path

    from benchmarks.adapters import StableBaselines3
    from stable_baselines3 import PPO

    def my_ppo(problem):
        file = Path(__file__).with_name(f"my_ppo_{problem.num_client_vehicles}.zip")  # one for each number of clients
        return StableBaselines3(PPO.load(file, device="cpu"), problem)

    my_ppo.env_ids = ("VEC-DNNPartition-v0",)
    my_ppo.files = ("my_ppo_3.zip", "my_ppo_5.zip", "my_ppo_7.zip")

Then `python -m benchmarks.run main --policies my_module:my_ppo`. Nothing of those libraries is imported here before it
is needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from vec_envs.interfaces.spaces import action_space, decode_action, encode_observation, observation_space
from vec_envs.problems.base import DiscreteActions, DiscreteProblem, View


class OwnDraws:
    """Torch's global numbers as a policy has left them: another that draws too does not disturb them."""

    def __init__(self) -> None:
        self._state: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Generator[None, None, None]:
        """Goes on with them for a while."""
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
    """A model of Stable-Baselines3 that was trained on `gymnasium.make(...)`: one decision for all agents.

    `normalize` is what was done to observations before the model saw them, such as `normalize_obs` of the
    `VecNormalize` that was saved beside it: a model's file does not hold that.
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
        for what, has, wants in (
            ("observes", model.observation_space, observation_space(problem)),
            ("acts by", model.action_space, action_space(problem)),
        ):
            if has != wants:
                raise ValueError(
                    f"the model {what} {has}, the environment's are {wants}: it is of another case, or was trained "
                    'with another option, such as observation="extended", which `sees` must then name'
                )

    def reset(self, seed: int) -> None:
        """Starts anew: what the model draws comes from `seed`."""
        with self._draws():
            self._model.set_random_seed(seed)

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the model's actions."""
        seen = encode_observation(self._problem, observation)
        seen = seen if self._normalize is None else self._normalize(seen)
        with self._draws():
            action, _ = self._model.predict(seen, deterministic=self._deterministic)
        return decode_action(self._problem, np.asarray(action))


class TorchRL:
    """A policy of TorchRL or BenchMARL, trained on TorchRL's `PettingZooWrapper(parallel_env(padded=True))`.

    `module` reads and writes a TensorDict: of the group of agents, `observed` holds `[lanes, agents, features]`,
    `masked` what each agent may do, and `acted` the actions, integers or one-hot. With `explore` it draws its actions;
    otherwise it takes its mode.
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
        """Raises `ValueError` for an environment whose agents do not all choose at once."""
        if not isinstance(problem.actions, DiscreteActions) or problem.one_at_a_time:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{type(problem).__name__} is not of agents that all choose at once")
        self._module, self._problem, self._explore = module, problem, explore
        self._draws = OwnDraws()
        self._observed, self._masked, self._acted = ((group, *key) for key in (observed, masked, acted))

    def reset(self, seed: int) -> None:
        """Starts anew: what the policy draws comes from `seed`."""
        import torch

        with self._draws():
            torch.manual_seed(seed)

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        """Returns the module's actions."""
        import torch
        from tensordict import TensorDict
        from tensordict.nn import InteractionType, set_interaction_type

        counts = np.array(self._problem.actions.counts)
        mask = np.arange(counts.max()) < counts[:, None]
        lanes = len(observation)
        seen = {self._observed: torch.as_tensor(observation), self._masked: torch.as_tensor(mask).expand(lanes, -1, -1)}
        how = InteractionType.RANDOM if self._explore else InteractionType.DETERMINISTIC
        with torch.no_grad(), set_interaction_type(how), self._draws():
            action = self._module(TensorDict(seen, batch_size=[lanes]))[self._acted]
        return np.asarray(action.argmax(-1) if action.ndim == 3 else action)
