"""The keywords of the interfaces, as dataclasses from which type checkers and editors read a factory's signature.

A module of an environment joins them with the fields of its problem:

    @dataclass(frozen=True, kw_only=True)
    class _Options(MyProblem, TrafficKeywords): ...

    @dataclass(frozen=True, kw_only=True)
    class _Agents(_Options, AgentKeywords): ...

    parallel_env = factory.listed(factory.parallel_env, _Agents, __name__)

Nothing makes an object of such a class. Its `__init__` has the signature that `parallel_env` is given, and checks the
keywords of a call as it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gymnasium.vector import AutoresetMode

from vec_envs.mobility import SumoBackend
from vec_envs.mobility.traffic import Mobility


@dataclass(frozen=True, kw_only=True)
class TrafficKeywords:
    """Keywords of every interface, which choose the traffic."""

    mobility: str | Mobility | None = "sumo"
    scenario: str | Path | None = "fdr-drive"
    sumo_backend: SumoBackend = "libsumo"
    num_workers: int = 1


@dataclass(frozen=True, kw_only=True)
class AgentKeywords:
    """Keywords of the two interfaces of PettingZoo."""

    padded: bool = False
    illegal: str = "clip"
    mask: str = "observation"
    render_mode: str | None = None


@dataclass(frozen=True, kw_only=True)
class JointKeywords:
    """Keywords of the interface of Gymnasium."""

    flatten: bool = False
    render_mode: str | None = None


@dataclass(frozen=True, kw_only=True)
class VectorKeywords:
    """Keywords of the vector interface of Gymnasium."""

    num_envs: int = 1
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP
    flatten: bool = False
    render_mode: str | None = None
    max_episode_steps: int | None = None
