"""The records that Gymnasium keeps of an environment: the length of an episode, and the metadata of its entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from gymnasium.envs.registration import EnvSpec

F = TypeVar("F", bound=Callable[..., Any])


class EpisodeSpec:
    """The attribute `spec` of an environment, with the length of the environment's own episodes.

    Ids are registered without a length, because it is an option: a registered one would cut longer episodes off.
    """

    def __get__(self, env: Any, owner: type[Any] | None = None) -> Any:
        return None if env is None else env.__dict__.get("_spec")

    def __set__(self, env: Any, spec: EnvSpec | None) -> None:
        epochs = env.problem.episode_epochs
        env.__dict__["_spec"] = None if spec is None else replace(spec, max_episode_steps=epochs)


def entry_point_of(environment: type[Any]) -> Callable[[F], F]:
    """Returns a decorator of a function that makes such environments, which gives it their `metadata`.

    `gymnasium.make` reads the modes of rendering there.
    """

    def decorate(function: F) -> F:
        function.__dict__["metadata"] = environment.metadata
        return function

    return decorate
