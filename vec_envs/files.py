"""Reads files of unknown origin, such as a submitted result, at a cost that is bounded before they are accepted.

Every parser of this project reads through these functions. They open regular files only, so that a pipe or a device
cannot block the reader, and they read no more than a stated number of bytes. JSON has limited nesting and digits. The
members of an archive are checked by their sizes in its directory before one of them is unpacked.

A file that is refused raises `ValueError` with its path and the bound; one that is missing raises `OSError`.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import os
import stat
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

MOST_TEXT_BYTES = 2**20
"""The largest size of a text file, unless the reader states another one."""
MOST_NESTING = 32
"""The largest depth of lists and objects in JSON."""
MOST_DIGITS = 40
"""The largest number of characters of a number in JSON. A float needs 24 and a 64-bit integer 20."""
MOST_DIRECTORY_BYTES = 2**20
"""The largest size of an archive's directory: about 10,000 members."""
MOST_HEADER_CHARACTERS = 1000
"""The largest length of an array's header, which gives its shape and type."""
MOST_CHARACTERS = 400
"""The largest number of characters of a reason, which may quote the file."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The byte order marks that editors on Windows write, and the encodings that they announce."""
_END_BYTES, _LOCATOR_BYTES, _END64_BYTES = 22, 20, 56
_DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,  # also RecursionError and NotImplementedError
    SyntaxError,
    TypeError,
    ValueError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""The errors of zipfile and numpy for archives and arrays with damaged bytes."""


@contextlib.contextmanager
def opened(path: Path, *, most_bytes: int) -> Generator[BinaryIO]:
    """Opens a file for reading. Raises `ValueError` unless it is a regular file of at most `most_bytes`."""
    _check_regular(path, path.stat(), most_bytes)  # before it is opened: opening some devices has effects
    # Another file may take the path meanwhile: O_NONBLOCK opens a pipe at once, for the second check to refuse it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _check_regular(path, os.fstat(descriptor), most_bytes)
        yield file


def read_bytes(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> bytes:
    """Returns the content of a regular file. Raises `ValueError` for another kind of file and for a larger one."""
    with opened(path, most_bytes=most_bytes) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:  # some files have no size before they are read, such as those of /proc
        raise ValueError(f"{path} must have at most {most_bytes} bytes, got more")
    return content


def announced_encoding(content: bytes) -> str:
    """Returns the encoding that a text's byte order mark announces; UTF-8 where it has none."""
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")


def read_text(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> str:
    """Returns the text of a regular file in UTF-8. Raises `ValueError` where it is none, or is larger."""
    content = read_bytes(path, most_bytes=most_bytes)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8, got the byte {content[error.start]:#04x}") from error


def read_json(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> Any:
    """Returns the content of a JSON file. Raises `ValueError` with the path where `parse_json` would."""
    text = read_text(path, most_bytes=most_bytes)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path} must be JSON: {error}") from error


def parse_json(text: str, *, largest: float = math.inf) -> Any:
    """Returns the content of a JSON text.

    Args:
        text: The text. Its content takes at most 40 bytes of memory for each character.
        largest: The largest absolute value of a number.

    Raises:
        ValueError: The text is not JSON, or nests deeper than `MOST_NESTING`. A number has more than `MOST_DIGITS`
            characters, is above `largest`, or is not finite.
    """
    number, integer = partial(_number, largest=largest), partial(_integer, largest=largest)
    try:
        content = json.loads(text, parse_constant=_no_number, parse_float=number, parse_int=integer)
    except RecursionError:
        raise ValueError(_NESTED) from None
    _check_nesting(content)
    return content


def check_archive(path: Path, *, most_bytes: int, most_unpacked_bytes: int) -> None:
    """Checks a zip archive by its directory. Unpacks nothing.

    Args:
        path: The archive.
        most_bytes: The largest size of the file.
        most_unpacked_bytes: The largest size of all members together.

    Raises:
        ValueError: The file is no archive, is larger, has an encrypted member or two of one name, or is compressed
            otherwise than by deflate.
        OSError: There is no such file.
    """
    with opened(path, most_bytes=most_bytes) as file:
        _members(path, file, most_unpacked_bytes)


def read_arrays(
    path: Path, names: Collection[str], *, most_bytes: int, most_unpacked_bytes: int
) -> dict[str, np.ndarray]:
    """Returns the arrays of some names in an `.npz` archive; those that it lacks are left out.

    Args:
        path: The archive.
        names: The names of the arrays. Others are not unpacked.
        most_bytes: The largest size of the file.
        most_unpacked_bytes: The largest size of all arrays together, whether they are returned or not.

    Raises:
        ValueError: See `check_archive`. An array is not of numbers, truth values or text, or has another size than its
            own header says.
        OSError: There is no such file.
    """
    with opened(path, most_bytes=most_bytes) as file:
        archive, members = _members(path, file, most_unpacked_bytes)
        with archive:
            known = {name: members[f"{name}.npy"] for name in names if f"{name}.npy" in members}
            return {name: _array(path, archive, member) for name, member in known.items()}


def shortened(reason: object) -> str:
    """Returns the text of a reason or error, cut after `MOST_CHARACTERS` characters."""
    text = str(reason)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


_NESTED = f"it nests lists and objects deeper than {MOST_NESTING} levels"


def _check_regular(path: Path, status: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise ValueError(f"{path} must be a regular file, got {kinds.get(stat.S_IFMT(status.st_mode), 'a device')}")
    if status.st_size > most_bytes:
        raise ValueError(f"{path} must have at most {most_bytes} bytes, got {status.st_size}")


def _of_at_most(largest: float) -> str:
    return f" of at most {largest:g}" if math.isfinite(largest) else ""


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _number(digits: str, *, largest: float) -> float:
    value = float(_short_number(digits))
    if not (math.isfinite(value) and abs(value) <= largest):
        raise ValueError(f"{digits} is too large for a number{_of_at_most(largest)}")
    return value


def _integer(digits: str, *, largest: float) -> int:
    value = int(_short_number(digits))
    if abs(value) > largest:
        raise ValueError(f"{digits} is too large for a number{_of_at_most(largest)}")
    return value


def _short_number(digits: str) -> str:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number must have at most {MOST_DIGITS} characters, got {len(digits)}: {digits[:10]}...")
    return digits


def _check_nesting(content: Any) -> None:
    """Raises `ValueError` where content nests deeper than `MOST_NESTING`; goes through it level by level."""
    level: list[Any] = [content]
    for _ in range(MOST_NESTING):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError(_NESTED)


def _inside(outer: Any) -> Iterable[Any]:
    if isinstance(outer, dict):
        return cast(dict[str, Any], outer).values()
    return cast(list[Any], outer) if isinstance(outer, list) else ()


def _members(path: Path, file: BinaryIO, most_bytes: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Returns an archive and its members by name, checked by their entries in the directory."""
    size = _directory_bytes(path, file)
    if size > MOST_DIRECTORY_BYTES:
        raise ValueError(f"{path} must have a directory of at most {MOST_DIRECTORY_BYTES} bytes, got {size}")
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGED as error:
        raise ValueError(f"{path} must be a zip archive: {shortened(error)}") from error
    members = {member.filename: member for member in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise ValueError(f"{path} must have one member of each name, got two of the same")
    for name, member in members.items():
        if member.flag_bits & 1:
            raise ValueError(f"{path} must not be encrypted, but its member {shortened(name)!r} is")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{path} must be compressed by deflate, but its member {shortened(name)!r} is not")
    unpacked = sum(member.file_size for member in members.values())
    if unpacked > most_bytes:
        raise ValueError(f"{path} must have at most {most_bytes} bytes when it is unpacked, got {unpacked}")
    return archive, members


def _directory_bytes(path: Path, file: BinaryIO) -> int:
    """Returns the size of an archive's directory, from the record at the end of the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES - _END64_BYTES))
    tail = file.read().rjust(_END_BYTES + _LOCATOR_BYTES + _END64_BYTES, b"\0")
    end64, locator, end = tail[:_END64_BYTES], tail[_END64_BYTES:-_END_BYTES], tail[-_END_BYTES:]
    # The record may stand earlier, before a comment, which neither numpy nor torch writes.
    if end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise ValueError(f"{path} must be a zip archive, complete and without a comment")
    sizes = struct.unpack("<L", end[12:16])
    if locator[:4] == b"PK\x06\x07" and end64[:4] == b"PK\x06\x06":
        return struct.unpack("<Q", end64[40:48])[0]
    return sizes[0]


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Returns the array of a member, after its header has been held against the member's size."""
    try:
        with archive.open(member) as file:
            shape, dtype = _header(file)
            if dtype.kind not in "biufU" or not dtype.itemsize:
                raise ValueError(f"it must hold numbers, truth values or text, got the type {dtype}")
            if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
                raise ValueError(f"an array of shape {shape} and type {dtype} is not {member.file_size} bytes long")
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError(f"{path} must hold arrays, but {shortened(member.filename)!r}: {shortened(error)}") from error


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Returns the shape and the type that an array's header says."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its format must be 1.0 or 2.0, got {'.'.join(map(str, version))}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = read(file, max_header_size=MOST_HEADER_CHARACTERS)
    except (MemoryError, tokenize.TokenError) as error:  # of Python's own parser
        raise ValueError("its header cannot be read") from error
    return shape, dtype


def reason_not_to_write(folder: Path) -> str:
    """Returns why no file can be written in a folder, which may not exist yet; "" where one can.

    Writes a temporary file without a name: the rights of a folder do not say whether its disk is read-only.
    """
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return f"no file can be written in the folder {there} ({error.strerror})"


def check_output_folder(folder: Path, name: str = "--output") -> None:
    """Raises `OSError` where no file can be written in a folder, which may not exist yet; `name` is its option."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{name} must be a folder, got the file {folder}")
    if reason := reason_not_to_write(folder):
        raise PermissionError(f"{name} {folder} cannot be written: {reason}")


def check_output_file(file: Path, name: str = "--output", *, makes_folder: bool = True) -> None:
    """Raises `OSError` where a file cannot be written. `makes_folder` says whether its folder may not exist yet."""
    if file.is_dir():
        raise IsADirectoryError(f"{name} {file} is a folder: give the name of a file")
    if not (makes_folder or file.parent.is_dir()):
        raise FileNotFoundError(f"{name} must be in a folder that exists, got {file}")
    if reason := reason_not_to_write(file.parent):
        raise PermissionError(f"{name} {file} cannot be written: {reason}")
    if file.exists() and not os.access(file, os.W_OK):
        raise PermissionError(f"{name} {file} cannot be written: the file is read-only")
