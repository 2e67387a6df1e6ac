"""Reads large files in pieces, plain or compressed by gzip, and refuses damaged or endless ones."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from vec_envs.files import announced_encoding, opened, shortened

MOST_BYTES = 2**34
"""The largest size of a trace, when it is unpacked."""
CHUNK_BYTES = 2**18
MOST_LINE_CHARACTERS = 2**16
"""The largest length of a line of a CSV file."""
_GZIP = b"\x1f\x8b"


def chunks(path: Path) -> Iterator[bytes]:
    """Yields the content of a file, unpacked where it is compressed by gzip.

    Raises `ValueError` where it is no regular file, is damaged, or has more than `MOST_BYTES`. Raises `OSError` where
    it is missing.
    """
    total = 0
    with opened(path, most_bytes=MOST_BYTES) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        content = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
        while piece := _piece(path, content):
            total += len(piece)
            if total > MOST_BYTES:
                raise ValueError(f"{path} must have at most {MOST_BYTES} bytes when it is unpacked, got more")
            yield piece


def _piece(path: Path, content: BinaryIO) -> bytes:
    try:
        return content.read(CHUNK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a complete gzip file: {shortened(error)}") from error


def lines(path: Path, encoding: str | None) -> Iterator[str]:
    """Yields the lines of a text, without their ends.

    Args:
        path: The file.
        encoding: Its encoding; None for that of its byte order mark, or else UTF-8.

    Raises:
        ValueError: The text has another encoding, or a line of more than `MOST_LINE_CHARACTERS`. See `chunks`.
    """
    rest = ""
    for text in _decoded(path, chunks(path), encoding):
        *complete, rest = (rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        yield from complete
        if len(rest) > MOST_LINE_CHARACTERS:
            raise ValueError(f"{path} must have at most {MOST_LINE_CHARACTERS} characters in a line, got more")
    if rest:
        yield rest


def _decoded(path: Path, pieces: Iterable[bytes], encoding: str | None) -> Iterator[str]:
    decoder: codecs.IncrementalDecoder | None = None
    try:
        for piece in pieces:
            if decoder is None:
                encoding = encoding or announced_encoding(piece)
                decoder = codecs.getincrementaldecoder(encoding)()
                yield decoder.decode(piece).removeprefix("\ufeff")
            else:
                yield decoder.decode(piece)
        if decoder is not None:
            yield decoder.decode(b"", final=True)
    except (UnicodeError, LookupError) as error:
        raise ValueError(
            f"{path} must be text in {encoding}: {shortened(error)}; give another encoding, such as --encoding latin-1"
        ) from error
