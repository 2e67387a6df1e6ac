"""Makes the pictures that move, one of each environment: `python docs/pictures/make.py [NAME ...]`.

A reference policy plays recorded traffic, and the environment draws it. Needs the extras `train` and `render`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainers.watch import Watched, watch
from vec_envs.registration import factory_of

HERE = Path(__file__).parent
SEED, WIDTH = 500_003, 900


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A moving picture: the episode that it shows, and its length and speed."""

    env_id: str
    policy: str
    frames: int
    fps: float
    env: dict[str, Any] = field(default_factory=dict[str, Any])


PICTURES = {
    "dnn-partition": Picture(
        env_id="VEC-DNNPartition-v0", policy="best-response-drift", frames=31, fps=3, env={"mobility": "replay"}
    ),
    "task-diversion": Picture(
        env_id="VEC-TaskDiversion-v0", policy="gbs-best", frames=60, fps=3, env={"mobility": "replay"}
    ),
    "cooperative-inference": Picture(env_id="VEC-CooperativeInference-v0", policy="optimum", frames=40, fps=3),
    "mobile-inference": Picture(
        env_id="VEC-MobileInference-v0", policy="least-estimate", frames=60, fps=4, env={"mobility": "replay"}
    ),
}
"""Pictures by the name of their environment's page in `docs/`."""


def make(name: str, folder: Path = HERE) -> Path:
    """Plays the beginning of an episode, writes its GIF and returns the path."""
    shown = PICTURES[name]
    reference = factory_of(shown.env_id).references.named(shown.policy)
    watched = Watched(name=shown.policy, env_id=shown.env_id, env={**shown.env, **reference.env}, make=reference.make)
    path = folder / f"{name}.gif"
    watch(watched, path, seed=SEED, fps=shown.fps, frames=shown.frames, width=WIDTH)
    return path


if __name__ == "__main__":
    for picture in sys.argv[1:] or PICTURES:
        written = make(picture)
        print(f"{written.name}: {written.stat().st_size / 1e3:.0f} kB")
