"""Files of unknown origin: what is no regular file, is too large or nests too deep is refused before it costs much."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vec_envs.files import (
    MOST_DIRECTORY_BYTES,
    MOST_NESTING,
    check_archive,
    parse_json,
    read_arrays,
    read_bytes,
    read_json,
    read_text,
    shortened,
)

MOST = 2**20


def refusal(path: Path, *names: str) -> str:
    """Returns why the arrays of a file are refused."""
    with pytest.raises(ValueError, match=path.name) as raised:
        read_arrays(path, names, most_bytes=MOST, most_unpacked_bytes=MOST)
    return str(raised.value)


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def npy(array: np.ndarray, **header: object) -> bytes:
    """Returns the text of an array's file, with fields of its header replaced."""
    file = io.BytesIO()
    described = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **header}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue() + array.tobytes()


def test_a_pipe_a_device_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "linked.json").symlink_to(tmp_path / "folder.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name, kind in (("pipe", "pipe"), ("folder", "folder"), ("linked", "folder"), ("zero", "device")):
        path = tmp_path / f"{name}.json"
        for read in (read_bytes, read_text, read_json):
            with pytest.raises(ValueError, match=rf"{name}\.json must be a regular file, got a {kind}"):
                read(path)
        assert f"got a {kind}" in refusal(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_a_file_is_no_larger_than_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "sparse.json"
    path.write_bytes(b"[]")
    assert read_json(path, most_bytes=2) == []
    os.truncate(path, 2**40)
    for read in (read_bytes, read_text, read_json):
        with pytest.raises(ValueError, match=r"sparse\.json must have at most 1048576 bytes, got 1099511627776"):
            read(path)
    with pytest.raises(ValueError, match="must have at most 8 bytes, got more"):  # its size is said to be 0
        read_bytes(Path("/proc/self/status"), most_bytes=8)


def test_json_that_costs_too_much_or_is_none_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 500 + "1" + "}" * 500):
        with pytest.raises(ValueError, match=r"nests lists and objects deeper than 32 levels"):
            parse_json(text)
    assert parse_json("[" * MOST_NESTING + "]" * MOST_NESTING)
    with pytest.raises(ValueError, match="deeper than 32"):
        parse_json("[" * (MOST_NESTING + 1) + "]" * (MOST_NESTING + 1))
    for text in (f"{10**400}", f"0.{'1' * 41}", "1" * 10**6):
        with pytest.raises(ValueError, match=f"a number must have at most 40 characters, got {len(text)}: "):
            parse_json(text)
    for text in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(ValueError, match=f"{text} is not a number"):
            parse_json(f"[{text}]")
    with pytest.raises(ValueError, match=r"1e999 is too large for a number$"):
        parse_json("1e999")
    for text in ("-1001", "1000.5"):
        with pytest.raises(ValueError, match=rf"{text} is too large for a number of at most 1000"):
            parse_json(text, largest=1000)
    assert parse_json('{"a": [1, -2.5, 1e3, null, true, "NaN"]}') == {"a": [1, -2.5, 1000.0, None, True, "NaN"]}
    (tmp_path / "x.json").write_bytes(b'"\xff"')
    with pytest.raises(ValueError, match=r"x\.json must be text in UTF-8, got the byte 0xff"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"[1,")
    with pytest.raises(ValueError, match=r"x\.json must be JSON: Expecting value"):
        read_json(tmp_path / "x.json")


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3, dtype=bool)), "text": np.array("x")}
    np.savez_compressed(tmp_path / "x.npz", **arrays, allow_pickle=False)
    read = read_arrays(tmp_path / "x.npz", ("a", "b", "text", "none"), most_bytes=MOST, most_unpacked_bytes=MOST)
    assert sorted(read) == ["a", "b", "text"]
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def test_an_unused_array_counts_too(tmp_path: Path) -> None:
    """An archive of a few bytes may declare an array of 1.5 GB; its unpacked size is checked even if the array is not
    read."""
    path = archive(tmp_path / "bomb.npz", {"a.npy": npy(np.zeros(2)), "unused.npy": b"\0" * 2**20})
    assert "must have at most 1048576 bytes when it is unpacked, got 1048720" in refusal(path, "a")
    data = path.read_bytes().replace(struct.pack("<L", 2**20), struct.pack("<L", 1_500_000_000))
    path.write_bytes(data)
    assert "when it is unpacked, got 1500000144" in refusal(path, "a")
    with pytest.raises(ValueError, match="when it is unpacked, got 1500000144"):
        check_archive(path, most_bytes=MOST, most_unpacked_bytes=MOST)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"shape": (10**10,)}, "an array of shape (10000000000,) and type float64 is not 144 bytes long"),
        ({"shape": (-1, -2)}, "a.npy"),
        ({"descr": "|O"}, "it must hold numbers, truth values or text, got the type object"),
        ({"descr": "<U0"}, "it must hold numbers, truth values or text"),
        ({"descr": "|V2000000000"}, "it must hold numbers, truth values or text"),
        ({"shape": "x"}, "shape is not valid"),
    ],
)
def test_an_array_is_what_its_header_says(tmp_path: Path, header: dict[str, object], words: str) -> None:
    path = archive(tmp_path / "x.npz", {"a.npy": npy(np.zeros(2), **header)})
    assert words in refusal(path, "a")


@pytest.mark.parametrize("text", ["-" * 9000, "(" * 9000, "[" * 150, "{'descr': " + "-" * 900 + "1}"])
def test_a_header_of_many_signs_is_refused(tmp_path: Path, text: str) -> None:
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    assert "a.npy" in refusal(archive(tmp_path / "x.npz", {"a.npy": content}), "a")


def test_an_archive_is_complete_and_neither_encrypted_nor_of_another_method(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {"a.npy": npy(np.zeros(2))}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    path.write_bytes(data[: directory + 8] + b"\1" + data[directory + 9 :])
    assert "must not be encrypted, but its member 'a.npy' is" in refusal(path, "a")
    path.write_bytes(data[:-1])
    assert "must be a zip archive, complete and without a comment" in refusal(path, "a")
    path.write_bytes(b"")
    assert "must be a zip archive" in refusal(path, "a")
    path.write_bytes(data.replace(b"\0" * 16, b"\1" * 16, 1) if data.count(b"\0" * 16) else data)
    assert "a.npy" in refusal(path, "a")
    assert "must be compressed by deflate" in refusal(
        archive(tmp_path / "bz2.npz", {"a.npy": npy(np.zeros(2))}, zipfile.ZIP_BZIP2), "a"
    )
    two = archive(tmp_path / "two.npz", {"a.npy": b"", "b.npy": b""})
    two.write_bytes(two.read_bytes().replace(b"b.npy", b"a.npy"))
    assert "must have one member of each name" in refusal(two, "a")


def test_a_directory_is_not_read_beyond_its_bound(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {f"{n:04954d}": b"" for n in range(209)})
    end = path.read_bytes()[-22:]
    assert 0.9 * MOST_DIRECTORY_BYTES < struct.unpack("<L", end[12:16])[0] < MOST_DIRECTORY_BYTES
    assert read_arrays(path, ("a",), most_bytes=2**22, most_unpacked_bytes=0) == {}
    archive(path, {f"{n:04954d}": b"" for n in range(210)})
    with pytest.raises(ValueError, match="must have a directory of at most 1048576 bytes, got 1050000"):
        read_arrays(path, ("a",), most_bytes=2**22, most_unpacked_bytes=0)
    wide = b"PK\x06\x06" + bytes(36) + struct.pack("<Q", 2**40) + bytes(8) + b"PK\x06\x07" + bytes(16) + end
    path.write_bytes(wide)
    assert "must have a directory of at most 1048576 bytes, got 1099511627776" in refusal(path)


def test_a_reason_is_a_sentence() -> None:
    assert shortened(ValueError("short")) == "short"
    assert len(shortened("x" * 10**6)) < 500
