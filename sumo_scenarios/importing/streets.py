"""Streets of a network by name and direction, followed from edge to edge."""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sumo_scenarios.sumo_files.network import Line, Network, NetworkEdge, length_of, point_on
from sumo_scenarios.sumo_files.programs import ImportRefusal

_DIRECTIONS = ("Eastbound", "Northbound", "Westbound", "Southbound")
_LISTED = 15
NO_NAMES = "--street needs a network with names of streets, and this one has none (netconvert --output.street-names)"


@dataclass(frozen=True, kw_only=True)
class Street:
    """One direction of a street: its name with the direction, and its edges in order of travel."""

    name: str
    direction: str
    edges: tuple[NetworkEdge, ...]

    @property
    def title(self) -> str:
        """The name that `--street` takes."""
        return f"{self.name} {self.direction}"

    @property
    def length_m(self) -> float:
        """The length of its edges together."""
        return sum(edge.length_m for edge in self.edges)

    @property
    def speed_limit_mps(self) -> float:
        """The speed limit of the longest part."""
        parts: dict[float, float] = defaultdict(float)
        for edge in self.edges:
            parts[edge.speed_limit_mps] += edge.length_m
        return max(parts, key=lambda limit: parts[limit])

    @property
    def line(self) -> Line:
        """The points of its line, each at least a metre from the one before."""
        points = [self.edges[0].line[0]]
        for point in (point for edge in self.edges for point in edge.line):
            if math.dist(point, points[-1]) >= 1.0:
                points.append(point)
        return tuple((round(x, 2), round(y, 2)) for x, y in points)


def streets_of(network: Network) -> list[Street]:
    """Returns the streets of a network that have a name, each direction by itself, the longest first."""
    by_name: dict[str, dict[str, NetworkEdge]] = defaultdict(dict)
    for edge in network.edges.values():
        if edge.street:
            by_name[edge.street][edge.name] = edge
    found = [street for name, edges in by_name.items() for street in _directions(name, edges)]
    return sorted(found, key=lambda street: (-street.length_m, street.title))


def find_street(network: Network, title: str) -> Street:
    """Returns a street by its name. Without a direction in the name, the longest direction is taken.

    Raises `ImportRefusal` with the candidates for an unknown name.
    """
    streets = streets_of(network)
    wanted = " ".join(title.split()).casefold()
    for street in streets:
        if wanted in (street.title.casefold(), street.name.casefold()):
            return street
    if not streets:
        raise ImportRefusal(NO_NAMES)
    near = difflib.get_close_matches(wanted, {name.casefold() for s in streets for name in (s.title, s.name)}, n=5)
    listed = [s for s in streets if wanted in s.title.casefold() or {s.title.casefold(), s.name.casefold()} & {*near}]
    raise ImportRefusal(
        f"--street must be a street of the network, got {title!r}; candidates:\n{candidates(listed or streets)}"
    )


def candidates(streets: list[Street]) -> str:
    """Returns a line for each of the longest streets: name, length and speed limit."""
    shown = [
        f"  {street.title!r}: {street.length_m:,.0f} m, {street.speed_limit_mps:.1f} m/s"
        for street in streets[:_LISTED]
    ]
    more = [f"  and {len(streets) - _LISTED} more"] if len(streets) > _LISTED else []
    return "\n".join([*shown, *more])


def opposite(network: Network, street: Street) -> Street | None:
    """Returns the other direction of a street where it lies beside it, and `None` on a one-way street."""
    back = _DIRECTIONS[(_DIRECTIONS.index(street.direction) + 2) % 4]
    middle, _ = point_on(street.line, length_of(street.line) / 2.0)
    for other in streets_of(network):
        if other.name == street.name and other.direction == back:
            distance_m = min(math.dist(middle, point) for point in other.line)
            return other if distance_m < 0.25 * street.length_m else None
    return None


def _directions(name: str, edges: dict[str, NetworkEdge]) -> Iterator[Street]:
    """Yields the longest chain of each direction of the edges of one name."""
    left, seen = dict(edges), set[str]()
    while left:
        chain = _longest_chain(left)
        for edge in chain:
            del left[edge.name]
        street = Street(name=name, direction=_direction(chain[0].line[0], chain[-1].line[-1]), edges=tuple(chain))
        if street.direction not in seen:
            seen.add(street.direction)
            yield street
        if len(seen) == 2:
            return


def _longest_chain(edges: dict[str, NetworkEdge]) -> list[NetworkEdge]:
    """Returns the longest of the chains that begin at each edge and go on as straight as they can."""
    followed = {after.name for edge in edges.values() for after in _ahead(edge, edges)}
    starts = [edge for edge in edges.values() if edge.name not in followed] or list(edges.values())
    chains = [_follow(edge, edges) for edge in starts]
    return max(chains, key=lambda chain: sum(edge.length_m for edge in chain))


def _follow(edge: NetworkEdge, edges: dict[str, NetworkEdge]) -> list[NetworkEdge]:
    chain, seen = [edge], {edge.name}
    while after := [one for one in _ahead(chain[-1], edges) if one.name not in seen]:
        chain.append(min(after, key=lambda one: _turn(chain[-1].line, one.line)))
        seen.add(chain[-1].name)
    return chain


def _ahead(edge: NetworkEdge, edges: dict[str, NetworkEdge]) -> list[NetworkEdge]:
    """Returns which of some edges follow an edge without turning back."""
    after = [edges[name] for name in edge.after if name in edges]
    return [one for one in after if _turn(edge.line, one.line) < math.radians(100.0)]


def _turn(line: Line, then: Line) -> float:
    """Returns the angle between the end of a line and the begin of another one, 0 to pi."""
    turn = _heading(then[0], then[1]) - _heading(line[-2], line[-1])
    return abs((turn + math.pi) % (2.0 * math.pi) - math.pi)


def _heading(a: tuple[float, float], b: tuple[float, float]) -> float:
    return math.atan2(b[1] - a[1], b[0] - a[0])


def _direction(begin: tuple[float, float], end: tuple[float, float]) -> str:
    return _DIRECTIONS[round(_heading(begin, end) / (math.pi / 2.0)) % 4]
