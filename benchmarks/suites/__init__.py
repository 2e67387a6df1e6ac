"""What is measured: suites of cases, each with the policies that play it. Everything that is compared stands here.

A suite for every figure of the papers, and the leaderboard's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.policies.custom import is_source, maker
from benchmarks.suites.leaderboard import MAIN, QUICK, QUICK_V
from benchmarks.suites.lymdo import LYMDO, LYMDO_FIG4
from benchmarks.suites.mad2rl import MAD2RL, MAD2RL_FIG9
from benchmarks.suites.rtd import RTD
from benchmarks.suites.suite import Given, Suite

SUITES: Mapping[str, tuple[Suite, ...]] = {
    "quick": (QUICK, QUICK_V),
    "main": (MAIN, MAD2RL_FIG9),
    "rtd": RTD,
    **{suite.name: (suite,) for suite in RTD},
    "lymdo": LYMDO,
    "lymdo-fig4": LYMDO_FIG4,
    **{suite.name: (suite,) for suite in LYMDO if suite not in LYMDO_FIG4},
    "mad2rl": MAD2RL,
    **{suite.name: (suite,) for suite in MAD2RL},
}
"""Name -> suites."""


def seeds_of(suites: Sequence[Suite]) -> int:
    """Returns how many training seeds suites have where nobody asks for another number."""
    return max((suite.seeds for suite in suites), default=1)


def suites_of(name: str, known: Mapping[str, tuple[Suite, ...]], policies: tuple[str, ...] = ()) -> tuple[Suite, ...]:
    """Returns the suites of a name, with only these policies where some are given; "package.module:name" is one's own.

    Raises `ValueError` listing what exists for an unknown name, and for an own policy that cannot be imported.
    """
    if name not in known:
        raise ValueError(f"the suite {name!r} is unknown; there are {', '.join(map(repr, known))}")
    suites = known[name]
    there = list(dict.fromkeys(policy.name for suite in suites for case in suite.cases for policy in case.policies))
    own = tuple(Given(name=policy, source=policy) for policy in policies if is_source(policy))
    for policy in policies:
        if is_source(policy):
            maker(policy)
        elif policy not in there:
            raise ValueError(
                f"the policy {policy!r} is not in {name}; there are {', '.join(map(repr, there))}, and "
                "your own as package.module:name"
            )
    return tuple(_only(suite, policies, own) for suite in suites) if policies else suites


def with_own(suites: tuple[Suite, ...], policies: tuple[str, ...]) -> tuple[Suite, ...]:
    """Returns suites with all their policies, and of those of a command line one's own."""
    own = tuple(Given(name=policy, source=policy) for policy in policies if is_source(policy))
    return tuple(
        replace(suite, cases=tuple(replace(case, policies=(*case.policies, *own)) for case in suite.cases))
        for suite in suites
    )


def _only(suite: Suite, policies: tuple[str, ...], own: tuple[Given, ...]) -> Suite:
    cases = (
        replace(case, policies=(*(policy for policy in case.policies if policy.name in policies), *own))
        for case in suite.cases
    )
    return replace(suite, cases=tuple(cases))
