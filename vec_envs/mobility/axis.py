"""Where along a road a point of its plane lies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.traffic import Road


class RoadAxis:
    """The centre line of a road as a ruler: zero abeam of the roadside unit, growing in the direction of travel."""

    def __init__(self, road: Road) -> None:
        points = np.asarray(road.axis_xy_m, dtype=np.float64)
        pieces = points[1:] - points[:-1]
        self._length_m = np.hypot(pieces[:, 0], pieces[:, 1])
        unit = pieces / self._length_m[:, None]
        normal = np.stack((-unit[:, 1], unit[:, 0]), axis=-1)
        # (x, y, 1) times these is how far along each piece, and how far beside it, a point lies.
        self._along = np.vstack((unit.T, -(points[:-1] * unit).sum(axis=-1)))
        self._beside = np.vstack((normal.T, -(points[:-1] * normal).sum(axis=-1)))
        self._passed_m = np.concatenate(([0.0], np.cumsum(self._length_m)[:-1]))
        self._passed_m -= float(self.position_m(np.asarray(road.rsu_xyz_m[:2])))

    def position_m(self, xy_m: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points"]:
        """The position along the road [m] of the point of the centre line that is nearest to each given point."""
        xy1 = np.ones((xy_m.size // 2, 3))
        xy1[:, :2] = xy_m.reshape(-1, 2)
        along_m, distance = xy1 @ self._along, xy1 @ self._beside
        inside_m = np.minimum(np.maximum(along_m, 0.0), self._length_m)
        # What is left of `along_m` beyond the ends of a piece counts as distance from it; squared, in place for speed.
        along_m -= inside_m
        along_m *= along_m
        distance *= distance
        distance += along_m
        nearest = distance.argmin(axis=1)
        position_m = inside_m[np.arange(len(nearest)), nearest] + self._passed_m[nearest]
        return position_m.reshape(xy_m.shape[:-1])
