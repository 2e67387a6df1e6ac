"""Factories of environments: one for each problem, with the same keywords for every interface."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ParamSpec, TypeVar, cast

from gymnasium.vector import AutoresetMode
from typing_extensions import get_protocol_members

from vec_envs.field_docs import field_docs
from vec_envs.importing import is_source
from vec_envs.interfaces.aec_env import AgentTurns, aec_env
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.interfaces.rendering import Draw, no_drawing
from vec_envs.interfaces.slot_env import SlotEnv
from vec_envs.interfaces.specs import entry_point_of
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import DEFAULT_SCENARIO, WITHOUT_SCENARIO, SumoBackend, make_mobility
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import Problem
from vec_envs.problems.policy import References
from vec_envs.validation import near_misses

E = TypeVar("E")
P = ParamSpec("P")
TRAFFIC_DOCS = {
    "mobility": '"sumo" (live), "replay" (recorded), "trace" (converted), "straight", "still", or your own function as '
    '"package.module:factory".',
    "scenario": 'A name; for "sumo" also a folder, for "replay" a recording, for "trace" a converted trace. "straight" '
    'and "still" have no choice.',
    "sumo_backend": 'How live SUMO is driven, with "sumo" only: "libsumo", "traci" or "traci-gui".',
    "num_workers": 'Processes of live SUMO, with "sumo" only.',
}
"""The options of traffic, which every interface takes -> their documentation."""

OF_SOME_INTERFACES = {
    "flatten": "make, make_vec",
    "num_envs": "make_vec",
    "autoreset_mode": "make_vec",
    "padded": "PettingZoo",
    "illegal": "PettingZoo",
    "mask": "PettingZoo",
}
"""Options that only some interfaces take -> the functions that make them."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentFactory:
    """Makes the environments of one problem, for every interface.

    Every interface takes: `mobility` (`"sumo"`, `"replay"`, `"trace"`, `"straight"`, `"still"`,
    `"package.module:factory"` or a `Mobility`), `scenario` (a name, a folder or a file), `sumo_backend` and
    `num_workers`, `render_mode`, and every field of the problem by name.
    An unknown field raises `TypeError` with the known fields; a wrong value raises `ValueError`.
    """

    env_id: str
    problem_type: type[Any]
    default_mobility: str = "sumo"
    default_scenario: str = "fdr-drive"
    load_references: Callable[[], References] = field(default=References, repr=False)
    load_drawing: Callable[[], Draw | None] = field(default=no_drawing, repr=False)

    @property
    def references(self) -> References:
        """The reference policies of the problem."""
        return self.load_references()

    def check_problem_type(self) -> None:
        """Raises `TypeError` with the names that a problem's type lacks of `vec_envs.problems.base.Problem`."""
        lacking = sorted(name for name in get_protocol_members(Problem) if not hasattr(self.problem_type, name))
        if lacking or not is_dataclass(self.problem_type):
            what = f"lacks {', '.join(lacking)}" if lacking else "is not a dataclass"
            raise TypeError(f"{self.problem_type.__name__} {what}; see vec_envs.problems.base.Problem")

    @entry_point_of(JointEnv)
    def joint_env(self, *, flatten: bool = False, render_mode: str | None = None, **options: Any) -> JointEnv:
        """Returns the `gymnasium.Env` with one decision for all agents. `flatten` gives spaces of a single axis."""
        return self._make(JointEnv, options, flatten=flatten, render_mode=render_mode)

    @entry_point_of(BatchVectorEnv)
    def vector_env(
        self,
        *,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        flatten: bool = False,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        **options: Any,
    ) -> BatchVectorEnv:
        """Returns the natively batched `gymnasium.vector.VectorEnv`.

        `gymnasium.make_vec(env.spec)` gives `max_episode_steps`. Raises `ValueError` for another length than that of
        the environment's own episodes.
        """
        env = self._make(
            BatchVectorEnv,
            options,
            num_envs=num_envs,
            autoreset_mode=autoreset_mode,
            flatten=flatten,
            render_mode=render_mode,
        )
        epochs = env.problem.episode_epochs
        if max_episode_steps not in (None, epochs):
            env.close()
            raise ValueError(f"max_episode_steps must be {epochs}, the length of an episode, got {max_episode_steps!r}")
        return env

    def parallel_env(
        self,
        *,
        padded: bool = False,
        illegal: str = "clip",
        mask: str = "observation",
        render_mode: str | None = None,
        **options: Any,
    ) -> SimultaneousEnv | SlotEnv:
        """Returns the `pettingzoo.ParallelEnv` with every client vehicle as an agent.

        With `padded`, all agents have equal spaces and an action mask. `illegal` (`"clip"`, `"noop"`, `"raise"`) says
        what a masked action does. `mask` says whether masks are part of the `"observation"`, of the `"info"`, or of
        neither (`"none"`).
        """

        def interface(problem: Problem, mobility: Mobility, **own: Any) -> SimultaneousEnv | SlotEnv:
            return (SlotEnv if problem.one_at_a_time else SimultaneousEnv)(problem, mobility, **own)

        own = {"padded": padded, "illegal": illegal, "mask": mask, "render_mode": render_mode}
        return self._make(interface, options, name=self.env_id, **own)

    def env(self, **options: Any) -> AgentTurns:
        """Returns the `pettingzoo.AECEnv`, in which agents act in turn; takes the options of `parallel_env`."""
        return aec_env(self.parallel_env(**options))

    def problem(self, **fields_by_name: Any) -> Problem:
        """Returns the problem with these fields. Raises `TypeError` listing what exists for an unknown one."""
        known = [f.name for f in fields(self.problem_type)]
        unknown = [name for name in fields_by_name if name not in known]
        if unknown:
            # In Python's own words, by which clients such as TorchRL recognise the error.
            common = [*TRAFFIC_DOCS, "render_mode"]
            others = ", ".join(f"{name} ({where})" for name, where in OF_SOME_INTERFACES.items())
            near = near_misses(unknown, (*common, *known, *OF_SOME_INTERFACES))
            more = f", nor {', '.join(map(repr, unknown[1:]))}" if unknown[1:] else ""
            raise TypeError(
                f"{self.env_id} got an unexpected keyword argument {unknown[0]!r}{more}{near}"
                f"{' The' if near else '; the'} options are {', '.join(common + known)}; also {others}"
            )
        return self.problem_type(**fields_by_name)

    def traffic(
        self,
        *,
        mobility: str | Mobility | None = None,
        scenario: str | Path | None = None,
        sumo_backend: SumoBackend = "libsumo",
        num_workers: int = 1,
    ) -> Mobility:
        """Returns the source of traffic. Raises `ValueError` listing what exists for an unknown name."""
        if scenario is not None and isinstance(mobility, Mobility):
            raise ValueError(
                f"scenario={scenario!r} needs a mobility given by name; a Mobility object has its own road"
            )
        mobility = self.default_mobility if mobility is None else mobility
        if (is_source(mobility) or mobility in WITHOUT_SCENARIO) and scenario in (None, self.default_scenario):
            scenario = DEFAULT_SCENARIO  # which stands for none
        return make_mobility(
            mobility,
            scenario=self.default_scenario if scenario is None else scenario,
            sumo_backend=sumo_backend,
            num_workers=num_workers,
        )

    def options(self) -> list[tuple[str, str, str]]:
        """Returns the name, the default and the documentation of every keyword that all interfaces share."""
        docs = TRAFFIC_DOCS | field_docs(self.problem_type)
        every = [*self._traffic_parameters(), *self._problem_parameters()]
        return [(of.name, getattr(of.default, "__name__", repr(of.default)), docs.get(of.name, "")) for of in every]

    def listed(self, method: Callable[..., E], keywords: Callable[P, object], module: str) -> Callable[P, E]:
        """Returns a function like a method of the factory whose signature lists every option, for editors and `help`.

        Args:
            method: A method of this factory that makes an environment.
            keywords: The dataclass of the options, see `vec_envs.interfaces.keywords`.
            module: The name of the module that has the function under the method's name, so that it can be pickled.
        """

        @functools.wraps(method)
        def make(**options: Any) -> E:
            return method(**options)

        returned = inspect.signature(method).return_annotation
        make.__dict__["__signature__"] = inspect.signature(keywords).replace(return_annotation=returned)
        make.__module__, make.__qualname__ = module, method.__name__
        return cast(Callable[P, E], make)

    def _traffic_parameters(self) -> list[inspect.Parameter]:
        of_traffic = inspect.signature(self.traffic).parameters.values()
        defaults = {"mobility": self.default_mobility, "scenario": self.default_scenario}
        return [of.replace(default=defaults.get(of.name, of.default)) for of in of_traffic]

    def _problem_parameters(self) -> list[inspect.Parameter]:
        kind = inspect.Parameter.KEYWORD_ONLY
        return [
            inspect.Parameter(f.name, kind, default=f.default, annotation=f.type)
            for f in fields(self.problem_type)
            if f.default is not MISSING
        ]

    def described(self, text: str | None) -> str:
        """Returns a module's docstring with all options, their defaults and units below it, for `help`."""
        lines = (f"{name} = {default}: {doc}" for name, default, doc in self.options())
        wrapped = (textwrap.fill(line, 116, initial_indent="    ", subsequent_indent=" " * 8) for line in lines)
        return "\n".join([text or "", "**Options**, keywords of every interface:", "", *wrapped, ""])

    def _make(self, interface: Callable[..., E], options: dict[str, Any], **own: Any) -> E:
        """Returns the interface, which stops the traffic in `close` where the traffic was made here."""
        problem = self.problem(**{name: value for name, value in options.items() if name not in TRAFFIC_DOCS})
        chosen = {name: value for name, value in options.items() if name in TRAFFIC_DOCS}
        mobility, owned = self.traffic(**chosen), isinstance(chosen.get("mobility"), str | None)
        try:
            return interface(problem, mobility, owns_mobility=owned, load_drawing=self.load_drawing, **own)
        except BaseException:
            if owned:
                mobility.close()
            raise


def lazily(name: str) -> Callable[[], Any]:
    """Returns a function that imports "package.module:name" when it is called."""
    return partial(resolve_name, name)


def as_loader(value: Any) -> Callable[[], Any]:
    """Returns a function that returns the value."""
    return partial(_same, value)


def _same(value: Any) -> Any:
    return value
