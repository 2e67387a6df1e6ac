"""Suites of cases: one for every figure of the papers, and the leaderboard's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarks.policies.custom import policy_maker
from benchmarks.policies.importing import import_in_time
from benchmarks.suites.leaderboard import MAIN, MAIN_1, QUICK, QUICK_V
from benchmarks.suites.lymdo import LYMDO, LYMDO_FIG4
from benchmarks.suites.mad2rl import MAD2RL, MAD2RL_FIG9
from benchmarks.suites.mobile import MOBILE
from benchmarks.suites.rtd import RTD
from benchmarks.suites.suite import Case, CustomPolicy, Suite
from vec_envs.importing import is_source
from vec_envs.validation import did_you_mean

SUITES: Mapping[str, tuple[Suite, ...]] = {
    "quick": (QUICK, QUICK_V),
    "main": (MAIN, MAD2RL_FIG9),
    "main-1": (MAIN_1,),
    "mobile": (MOBILE,),
    "rtd": RTD,
    **{suite.name: (suite,) for suite in RTD},
    "lymdo": LYMDO,
    "lymdo-fig4": LYMDO_FIG4,
    **{suite.name: (suite,) for suite in LYMDO if suite not in LYMDO_FIG4},
    "mad2rl": MAD2RL,
    **{suite.name: (suite,) for suite in MAD2RL},
}
"""Name on a command line -> suites."""


def seeds_of(suites: Sequence[Suite]) -> int:
    """Returns the default number of training seeds of several suites: the largest of theirs."""
    return max((suite.seeds for suite in suites), default=1)


def suites_of(name: str, known: Mapping[str, tuple[Suite, ...]], policies: tuple[str, ...] = ()) -> tuple[Suite, ...]:
    """Returns the suites of a name on a command line.

    Args:
        name: A key of `known`, or "package.module:NAME" for a user's `Suite` or tuple of suites.
        known: The suites of this project.
        policies: The policies to play, by name or as "package.module:name"; if empty, all policies of the suite.

    Raises `ValueError` with the known names for an unknown suite or policy, and where an import fails.
    """
    suites = _imported_suites(name) if is_source(name) else _known_suites(name, known)
    names = dict.fromkeys(policy.name for suite in suites for case in suite.cases for policy in case.policies)
    custom = _custom_policies(policies, names)
    for policy in policies:
        if policy in names:
            continue
        if not is_source(policy):
            raise ValueError(
                f"the policy {policy!r} is not in {name}; there are {', '.join(map(repr, names))}, and "
                f"your own as package.module:name{did_you_mean(policy, names)}"
            )
        policy_maker(policy)
    return tuple(_only(suite, policies, custom) for suite in suites) if policies else suites


def cases_of(suite: str, *, env_id: str | None = None, name: str | None = None) -> list[Case]:
    """Returns the cases of the suites of a name on a command line; of one environment or of one name, where given.

    Raises `ValueError` with what is known for an unknown suite, environment or case.
    """
    every = [case for of_suite in suites_of(suite, SUITES) for case in of_suite.cases]
    of_env = [case for case in every if env_id in (None, case.env_id)]
    found = [case for case in of_env if name in (None, case.name)]
    if not of_env:
        env_ids = dict.fromkeys(case.env_id for case in every)
        known, near = ", ".join(map(repr, env_ids)) or "none", did_you_mean(env_id, env_ids)
        raise ValueError(f"the environment {env_id!r} is unknown; those of {suite} are {known}{near}")
    if not found:
        names = [case.name for case in of_env]
        near = did_you_mean(name, names)
        raise ValueError(f"the case {name!r} is unknown; the cases of {suite} are {', '.join(map(repr, names))}{near}")
    return found


def page_name(name: str, suites: Sequence[Suite]) -> str:
    """Returns the name of a page: the name on the command line, or for a user's suites that of the first one."""
    return suites[0].name if is_source(name) else name


def with_custom_policies(suites: tuple[Suite, ...], policies: tuple[str, ...]) -> tuple[Suite, ...]:
    """Returns suites with all their policies, and with the custom policies among `policies` on every case."""
    names = {policy.name for suite in suites for case in suite.cases for policy in case.policies}
    custom = _custom_policies(policies, names)
    return tuple(
        replace(suite, cases=tuple(replace(case, policies=(*case.policies, *custom)) for case in suite.cases))
        for suite in suites
    )


def _known_suites(name: str, known: Mapping[str, tuple[Suite, ...]]) -> tuple[Suite, ...]:
    if name not in known:
        raise ValueError(
            f"the suite {name!r} is unknown; there are {', '.join(map(repr, known))}, and your own as "
            f"package.module:NAME{did_you_mean(name, known)}"
        )
    return known[name]


def _imported_suites(source: str) -> tuple[Suite, ...]:
    found = import_in_time(source, "suite")
    suites = (found,) if isinstance(found, Suite) else found
    if not isinstance(suites, tuple) or not suites or not all(isinstance(suite, Suite) for suite in suites):
        raise ValueError(
            f"the suite {source!r} must be a benchmarks.suites.suite.Suite or a tuple of them, "
            f"got {type(found).__name__}"
        )
    return suites


def _custom_policies(policies: Iterable[str], names: Iterable[str]) -> tuple[CustomPolicy, ...]:
    """Returns the custom policies of a command line: sources that are not names of the suite's policies."""
    return tuple(
        CustomPolicy(name=policy, source=policy) for policy in policies if is_source(policy) and policy not in names
    )


def _only(suite: Suite, policies: tuple[str, ...], custom: tuple[CustomPolicy, ...]) -> Suite:
    """Returns a suite with only these of its policies, and with custom policies on every case."""
    cases = (
        replace(case, policies=(*(policy for policy in case.policies if policy.name in policies), *custom))
        for case in suite.cases
    )
    return replace(suite, cases=tuple(cases))
