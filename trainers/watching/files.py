"""The files that show an episode: a page with a player (.html), a video (.mp4), or a GIF."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vec_envs.files import check_output_file
from vec_envs.interfaces.rendering import Picture
from vec_envs.validation import missing_extra

_FLAT_COLOURS, _BLENDED_COLOURS = 32, 96
"""Numbers of colours in a GIF: the most frequent ones, which fill areas, and blended ones for the edges of text."""
_HOLD_FRAMES, _SAMPLED = 6, 4
"""How many times longer a GIF shows its last picture, and how many pictures its colours are taken from."""


def check_output(path: Path) -> None:
    """Checks before any work that the file can be written.

    Raises `ValueError` for an unknown ending, `OSError` for a path that cannot be written, and `ImportError` naming the
    extra where a library is missing.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"--output must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, got {str(path)!r}")
    check_output_file(path)
    if path.suffix.lower() == ".mp4":
        _load_ffmpeg()


@contextlib.contextmanager
def replaced(path: Path) -> Generator[Path]:
    """Gives a temporary path beside the file, and renames it to the file's path at the end.

    If the process is killed, the old file stays. After an error, no new file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        if partial.exists():
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_gif(path: Path, pictures: Sequence[Picture], *, frames_per_s: float, width: int | None = None) -> None:
    """Writes pictures as a GIF that repeats, with one palette for all of them.

    Args:
        path: The file.
        pictures: The pictures, of equal size.
        frames_per_s: How many pictures are shown in a second.
        width: The width to reduce the pictures to; None for their own.
    """
    images = [_resized(picture, width) for picture in pictures]
    step = max(len(images) // _SAMPLED, 1)
    palette = _palette(pictures[::step], images[::step])
    few = [image.quantize(palette=palette, dither=0) for image in images]
    shown_ms = [round(1000.0 / frames_per_s)] * (len(few) - 1) + [round(_HOLD_FRAMES * 1000.0 / frames_per_s)]
    with replaced(path) as partial:
        few[0].save(partial, save_all=True, append_images=few[1:], duration=shown_ms, loop=0, optimize=True)


def _palette(pictures: Sequence[Picture], images: Sequence[Any]) -> Any:
    """Returns an image with a palette for pictures, and for the images made of them, which may be smaller."""
    from PIL import Image

    colours, counts = np.unique(
        np.concatenate([picture.reshape(-1, 3) for picture in pictures]), axis=0, return_counts=True
    )
    flat = colours[np.argsort(-counts, kind="stable")[:_FLAT_COLOURS]]
    together = Image.new("RGB", (images[0].width, sum(image.height for image in images)))
    for index, image in enumerate(images):
        together.paste(image, (0, index * image.height))
    blended = together.quantize(_BLENDED_COLOURS).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*flat.ravel().tolist(), *blended])
    return palette


def _resized(picture: Picture, width: int | None) -> Any:
    from PIL import Image

    image = Image.fromarray(picture)
    if width is None or width >= image.width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.HAMMING)


def write_mp4(path: Path, pictures: Sequence[Picture], *, frames_per_s: float, width: int | None = None) -> None:
    """Writes pictures as a video (H.264), which browsers play. For the arguments, see `write_gif`."""
    images = [np.asarray(_resized(picture, width)) for picture in pictures]
    images = [image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2] for image in images]
    size = images[0].shape[1::-1]
    with replaced(path) as partial:
        options = {"fps": frames_per_s, "macro_block_size": 2, "quality": 7}
        with contextlib.closing(_load_ffmpeg().write_frames(str(partial), size, **options)) as video:
            video.send(None)
            for image in images:
                video.send(np.ascontiguousarray(image))


WRITERS: dict[str, Callable[..., None]] = {".gif": write_gif, ".mp4": write_mp4}
ENDINGS = (".html", *WRITERS)


def _load_ffmpeg() -> Any:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ImportError(missing_extra("a video", "imageio-ffmpeg", "render")) from error
    return imageio_ffmpeg
