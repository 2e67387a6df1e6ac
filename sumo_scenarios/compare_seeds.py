"""Measures how much traffic the seeds of a scenario share: `python -m sumo_scenarios.compare_seeds NAME`.

It prints which share of the vehicles in range is near a vehicle under another seed in the same slot. In dense traffic
many vehicles are near another one by chance. `--other NAME` takes the other seeds from another scenario: on the same
network with another demand, this is the share by chance.
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float

from vec_envs.command_parser import CommandParser
from vec_envs.mobility import EpisodeShape, Scenario, SumoMobility, TrafficError
from vec_envs.mobility.traffic import TrafficWindow
from vec_envs.validation import check_at_most, check_integer, check_positive

MOST_EPISODES = 1000
NEAR_M = 10.0
"""The default distance up to which a vehicle counts as near another one."""
EVERY = 10
"""Every tenth slot is compared: vehicles hardly move in between."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """How much two sources of traffic share."""

    vehicles: float
    """The mean number of vehicles in range."""
    pairs: tuple[float, ...]
    """The share of vehicles near one of the other episode, for each pair of episodes."""

    @property
    def mean(self) -> float:
        """The mean over the pairs."""
        return float(np.mean(self.pairs))


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints the share; returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        check_integer(2, **{"--episodes": given.episodes, "--slots": given.slots})
        check_at_most(MOST_EPISODES, **{"--episodes": given.episodes})
        check_positive(**{"--near-m": given.near_m, "--slot-s": given.slot_s})
        for name in (given.scenario, given.other or given.scenario):
            Scenario.load(name)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    shape = EpisodeShape(
        num_client_vehicles=1, num_service_vehicles=0, num_slots=given.slots, slot_s=given.slot_s, come_and_go=True
    )
    try:
        found = compare(given.scenario, given.other, shape, episodes=given.episodes, near_m=given.near_m)
    except TrafficError as error:
        print(f"sumo_scenarios.compare_seeds: {error}", file=sys.stderr)
        return 1
    against = "under another seed" if given.other is None else f"of {given.other}"
    print(
        f"{given.scenario}: {100 * found.mean:.0f} % of the vehicles in range are within {given.near_m:g} m of a "
        f"vehicle {against} in the same slot ({100 * min(found.pairs):.0f} to {100 * max(found.pairs):.0f} % over "
        f"{len(found.pairs)} pairs of episodes), with {found.vehicles:.0f} vehicles in range on average"
    )
    return 0


def compare(scenario: str, other: str | None, shape: EpisodeShape, *, episodes: int, near_m: float) -> Shared:
    """Returns how much traffic seeds of a scenario share. Each of the first seeds is paired with another seed.

    Args:
        scenario: A scenario.
        other: The scenario of the other seeds; None for the same one.
        shape: The length of an episode.
        episodes: The number of pairs, each of two episodes that occur in no other pair.
        near_m: The distance up to which vehicles count as near.

    Raises:
        TrafficError: SUMO cannot run, or a scenario has no traffic.
    """
    ours = _windows(scenario, range(episodes), shape)
    theirs = _windows(other or scenario, range(episodes, 2 * episodes), shape)
    pairs = tuple(share_near(one, another, near_m) for one, another in zip(ours, theirs, strict=True))
    return Shared(vehicles=float(np.mean([window.present.sum(axis=1).mean() for window in ours])), pairs=pairs)


def _windows(scenario: str, seeds: range, shape: EpisodeShape) -> list[TrafficWindow]:
    with closing(SumoMobility(scenario)) as mobility:
        return [window for seed in seeds for window in islice(mobility.windows(seed, shape), 1)]


def share_near(one: TrafficWindow, other: TrafficWindow, near_m: float) -> float:
    """Returns which share of the vehicles of a window is near one of another window in the same slot."""
    slots = range(0, len(one.present), EVERY)
    near = [_near(_places(one, slot), _places(other, slot), near_m) for slot in slots]
    return float(np.concatenate(near).mean())


def _places(window: TrafficWindow, slot: int) -> Float[np.ndarray, "places 2"]:
    """Returns where the vehicles of a slot are."""
    return window.xy_m[slot][window.present[slot]]


def _near(
    places: Float[np.ndarray, "n 2"], others: Float[np.ndarray, "others 2"], near_m: float
) -> Bool[np.ndarray, " n"]:
    away_m = np.hypot(*np.moveaxis(places[:, None] - others[None], -1, 0))
    return away_m.min(axis=1, initial=np.inf) <= near_m


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m sumo_scenarios.compare_seeds",
        description="Measures how much traffic the seeds of a scenario share.",
    )
    add = parser.add_argument
    add("scenario", metavar="NAME", help="a shipped scenario, or a scenario's folder")
    add("--other", metavar="NAME", help="take the other seeds from this scenario: the share by chance")
    add("--episodes", type=int, default=8, help="pairs of episodes (default: %(default)s)")
    add("--slots", type=int, default=31, help="slots of an episode (default: %(default)s)")
    add("--slot-s", type=float, default=1.0, help="length of a slot (default: %(default)s)")
    add("--near-m", type=float, default=NEAR_M, help="distance that counts as near (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
