"""A canvas of Pillow for pictures of scenes: smooth shapes, and text in the font that matplotlib ships."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vec_envs.validation import missing_extra

INK, PALE, PAPER = "#333333", "#8a8f98", "#ffffff"
_FINE = 3
"""Shapes are drawn this many times larger and then reduced, so that their edges are smooth."""
_CURVE_POINTS = 14

Point = tuple[float, float]


def load_pillow() -> Any:
    """Returns the modules of Pillow that pictures need. Raises `ImportError` naming the extra where one is missing."""
    try:
        import matplotlib as mpl
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError(missing_extra("a picture", "matplotlib and Pillow", "render")) from error
    return Image, ImageDraw, ImageFont, mpl


@functools.cache
def _font(size: int, bold: bool) -> Any:
    _, _, fonts, mpl = load_pillow()
    name = "DejaVuSans-Bold" if bold else "DejaVuSans"
    return fonts.truetype(f"{mpl.get_data_path()}/fonts/ttf/{name}.ttf", size, layout_engine=fonts.Layout.BASIC)


@functools.lru_cache(maxsize=4096)
def _stencil(text: str, size: int, bold: bool, anchor: str) -> tuple[Any, tuple[int, int]]:
    """Returns the mask of a text, and its place relative to the anchor; cached, because most texts occur again."""
    images, draws, _, _ = load_pillow()
    font = _font(size, bold)
    left, top, right, bottom = (round(end) for end in font.getbbox(text, anchor=anchor))
    mask = images.new("L", (max(right - left, 1), max(bottom - top, 1)))
    draws.Draw(mask).text((-left, -top), text, font=font, fill=255, anchor=anchor)
    return mask, (left, top)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: int, bold: bool = False) -> float:
    """Returns the width of a text in pixels."""
    return float(_font(size, bold).getlength(text))


@functools.lru_cache(maxsize=4096)
def fitting(text: str, width: float, size: int) -> str:
    """Returns the text, shortened with an ellipsis where it is wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    kept = next((n for n in range(len(text) - 1, 0, -1) if text_width(f"{text[:n]}\u2026", size) <= width), 0)
    return f"{text[:kept]}\u2026" if kept else ""


class Page:
    """A picture to draw on: rectangles, text, and drawings of shapes that are pasted into it."""

    def __init__(self, width: int, height: int) -> None:
        images, draws, _, _ = load_pillow()
        self.image: Any = images.new("RGB", (width, height), PAPER)
        self._draw: Any = draws.Draw(self.image)

    def text(
        self, at: Point, text: str, size: int = 11, colour: str = INK, anchor: str = "lm", *, bold: bool = False
    ) -> None:
        """Writes a text; `anchor` is Pillow's, such as "lm" for left and middle, or "mm" for both middles."""
        if text:
            mask, (left, top) = _stencil(text, size, bold, anchor)
            self.image.paste(colour, (round(at[0]) + left, round(at[1]) + top), mask)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Fills a rectangle, whose right and bottom ends are left out; draws nothing where it is empty."""
        ends = round(right) - 1, round(bottom) - 1
        if ends[0] >= round(left) and ends[1] >= round(top):
            self._draw.rectangle((round(left), round(top), *ends), fill=colour)

    def paste(self, shapes: Shapes, at: tuple[int, int] = (0, 0)) -> None:
        """Pastes a drawing of shapes."""
        self.image.paste(shapes.reduced(), at)

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Returns the picture as an RGB array."""
        return np.array(self.image)


class Shapes:
    """A drawing of shapes with smooth edges. It starts as a copy of a background, where one is given.

    Positions and sizes are in pixels of the page.
    """

    def __init__(self, width: int, height: int, background: Shapes | None = None) -> None:
        images, draws, _, _ = load_pillow()
        size = (width * _FINE, height * _FINE)
        self._image: Any = images.new("RGB", size, PAPER) if background is None else background._image.copy()
        self._draw: Any = draws.Draw(self._image)
        self._blend: Any = draws.Draw(self._image, "RGBA")

    def reduced(self) -> Any:
        """Returns the image in the size of the page."""
        return self._image.reduce(_FINE)

    def line(self, points: Sequence[Point] | np.ndarray, colour: str, width: float) -> None:
        """Draws a line through points, with round joints."""
        fine = [(_FINE * x, _FINE * y) for x, y in points]
        self._draw.line(fine, fill=colour, width=max(round(_FINE * width), 1), joint="curve")

    def polygon(self, points: Sequence[Point] | np.ndarray, colour: str) -> None:
        """Fills a polygon."""
        self._draw.polygon([(_FINE * x, _FINE * y) for x, y in points], fill=colour)

    def circle(self, at: Point, radius: float, colour: str, edge: str | None = None, edge_width: float = 1.0) -> None:
        """Fills a circle, with an edge where it has a colour."""
        box = [_FINE * (middle + sign * radius) for sign in (-1, 1) for middle in at]
        self._draw.ellipse(box, fill=colour, outline=edge, width=round(_FINE * edge_width) if edge else 0)

    def badge(
        self, at: Point, half: Point, colour: str, *, edge: str = PAPER, edge_width: float = 1.0, radius: float = 4.0
    ) -> None:
        """Fills a rectangle with round corners around a point, `half` as wide and as high."""
        box = [_FINE * (middle + sign * extent) for sign in (-1, 1) for middle, extent in zip(at, half, strict=True)]
        self._draw.rounded_rectangle(box, _FINE * radius, fill=colour, outline=edge, width=round(_FINE * edge_width))

    def arrow(self, start: Point, end: Point, colour: str, *, bow: float, keep: float) -> None:
        """Draws a bowed arrow, which ends `keep` pixels before the point `end`."""
        (x1, y1), (x2, y2) = start, end
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        middle = (x1 + x2) / 2.0 + (y2 - y1) / length * bow, (y1 + y2) / 2.0 - (x2 - x1) / length * bow
        to_end = math.hypot(x2 - middle[0], y2 - middle[1]) or 1.0
        ahead = (x2 - middle[0]) / to_end, (y2 - middle[1]) / to_end
        tip = x2 - keep * ahead[0], y2 - keep * ahead[1]
        neck = tip[0] - 7.0 * ahead[0], tip[1] - 7.0 * ahead[1]
        steps = [k / (_CURVE_POINTS - 1) for k in range(_CURVE_POINTS)]
        curve = [
            tuple(
                (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(start, middle, neck, strict=True)
            )
            for t in steps
        ]
        fine, rgba = [(_FINE * x, _FINE * y) for x, y in curve], f"{colour}d0"
        self._blend.line(fine, fill=rgba, width=round(_FINE * 1.6), joint="curve")
        side = -ahead[1] * 3.6, ahead[0] * 3.6
        head = [tip, (neck[0] + side[0], neck[1] + side[1]), (neck[0] - side[0], neck[1] - side[1])]
        self.polygon(head, colour)
