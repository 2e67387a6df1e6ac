"""The metrics that are kept of a policy's episodes. They are stored beside a result, and do not change its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The metrics that a case asks for, or that a result has."""

    metrics: tuple[str, ...] = ()
    """Metrics whose mean over each episode is kept. The first one ranks policies."""
    late: tuple[str, ...] = ()
    """Metrics whose mean over the last half of each episode is kept, as `late_NAME`."""
    trends: tuple[str, ...] = ()
    """Metrics whose slope over the last two thirds of each episode is kept, as `trend_NAME`."""
    traces: tuple[str, ...] = ()
    """Metrics whose mean over the episodes is kept for every decision epoch."""
    recorded: bool = False
    """Whether the first episode is recorded."""

    @staticmethod
    def of(content: Mapping[str, Any]) -> Kept:
        """Returns what the JSON of `as_json` says."""
        lists = {name: tuple(content.get(name, ())) for name in ("metrics", "late", "trends", "traces")}
        return Kept(**lists, recorded=bool(content.get("recorded", False)))

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as JSON has them, without those that are empty."""
        lists = {"metrics": self.metrics, "late": self.late, "trends": self.trends, "traces": self.traces}
        content: dict[str, Any] = {name: list(names) for name, names in lists.items() if names}
        return {**content, "recorded": True} if self.recorded else content

    @property
    def values(self) -> tuple[str, ...]:
        """The names of the values of each episode: means, late means and trends."""
        late, trends = (f"late_{name}" for name in self.late), (f"trend_{name}" for name in self.trends)
        return (*self.metrics, *late, *trends)

    @property
    def unrecorded(self) -> Kept:
        """The same metrics, without a recording."""
        return replace(self, recorded=False)

    def __or__(self, other: Kept) -> Kept:
        """Returns the metrics of both. The first metric is that of the left side."""
        return Kept(
            metrics=_union(self.metrics, other.metrics),
            late=_union(self.late, other.late),
            trends=_union(self.trends, other.trends),
            traces=_union(self.traces, other.traces),
            recorded=self.recorded or other.recorded,
        )

    def lacking(self, asked: Kept) -> list[str]:
        """Returns what `asked` has and this has not, in words."""
        lacking = [name for name in asked.values if name not in self.values]
        lacking += [f"the trace of {name}" for name in asked.traces if name not in self.traces]
        return [*lacking, "the recording"] if asked.recorded and not self.recorded else lacking


def _union(*lists: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))
