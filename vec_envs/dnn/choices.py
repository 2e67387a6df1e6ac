"""DNN types as users give them: profiles, names of the library, files of profiles, and documents in stored options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from vec_envs.dnn.documents import checked_document
from vec_envs.dnn.profile import MOST_FILE_BYTES, DNNProfile, from_document
from vec_envs.dnn.workload import WORKLOADS
from vec_envs.files import read_json
from vec_envs.validation import MOST_DNNS, check_at_most, check_one_of, shown


def as_profiles(dnns: Any, *, workload: str) -> tuple[DNNProfile, ...]:
    """Returns DNN types as profiles.

    Args:
        dnns: A list or tuple. An entry is a profile, a name of the library, the path of a profile's file, or the
            document of a profile, as options of a run hold it.
        workload: The convention for the names, and for files and documents that have several; see `WORKLOADS`.

    Raises:
        ValueError: `dnns` is empty or not such a list, a name or the workload is unknown, or a file is no profile. Two
            DNN types share a name; metrics are reported by name, so names must differ. Or their work is counted by
            different conventions, so that their times could not be compared.
    """
    kinds = (str, Path, Mapping, DNNProfile)
    if not isinstance(dnns, tuple | list) or not all(isinstance(d, kinds) for d in cast(list[Any], dnns)):
        raise ValueError(
            "dnns must be a list of DNN types, each a profile, a name of the library or a profile's file, "
            f"got {shown(dnns)}"
        )
    given = cast(list[Any], dnns)
    if not given:
        raise ValueError("dnns is empty; at least one DNN type is needed")
    check_at_most(MOST_DNNS, **{"the length of dnns": len(given)})
    check_one_of(tuple(WORKLOADS), workload=workload)
    profiles = tuple(_as_profile(dnn, workload) for dnn in given)
    names = [profile.name for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"dnns has {name!r} twice; give one of them another name: replace(profile, name=...)")
    _check_one_convention(profiles)
    return profiles


def as_options(dnns: Any) -> Any:
    """Returns DNN types as plain values that a run can store: names of the library, and documents of all others.

    A file is read here, once. So a run keeps its networks when the file changes or is deleted. Anything that is no list
    of DNN types is returned unchanged, for `as_profiles` to refuse.

    Raises:
        ValueError: A name is unknown, or a file is no profile.
    """
    if not isinstance(dnns, tuple | list):
        return dnns
    return tuple(as_option(dnn) for dnn in cast(list[Any], dnns))


def as_option(dnn: Any) -> Any:
    """Returns a DNN type as a plain value, see `as_options`."""
    if isinstance(dnn, DNNProfile):
        return checked_document(asdict(dnn))
    if isinstance(dnn, Mapping):
        return checked_document(dnn)
    if isinstance(dnn, str | Path) and str(dnn) not in DNNProfile.library():
        return _checked_file(dnn)
    return dnn


def _as_profile(dnn: str | Path | Mapping[str, Any] | DNNProfile, workload: str) -> DNNProfile:
    if isinstance(dnn, DNNProfile):
        return dnn
    if isinstance(dnn, Mapping):
        return from_document(dnn, workload)
    if str(dnn) in DNNProfile.library():
        return DNNProfile.load(str(dnn), workload=workload)
    return from_document(_checked_file(dnn), workload)


def _checked_file(path: str | Path) -> dict[str, Any]:
    """Returns the document in a profile's file. Raises `ValueError` with the path where it is none."""
    content = _file_content(path)
    try:
        return checked_document(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _file_content(path: str | Path) -> Any:
    """Returns the JSON content of a profile's file. Raises `ValueError` where there is none, or it is no JSON."""
    try:
        return read_json(Path(path), most_bytes=MOST_FILE_BYTES)
    except FileNotFoundError:
        if Path(path).suffix == ".json" or len(Path(path).parts) > 1:
            raise ValueError(f"dnns names the file {shown(str(path))}, which does not exist") from None
        check_one_of(DNNProfile.library(), **{"a DNN type is a profile's file (.json) or a name; the name": str(path)})
        raise
    except OSError as error:
        raise ValueError(f"dnns names {shown(str(path))}, which cannot be read: {error.strerror}") from error


def _check_one_convention(profiles: Iterable[DNNProfile]) -> None:
    by_workload = {profile.workload: profile.name for profile in profiles if profile.workload is not None}
    if len(by_workload) > 1:
        counts = ", ".join(f"{name!r} by {workload!r}" for workload, name in by_workload.items())
        raise ValueError(
            f"dnns must count their work by one convention, got {counts}; set the environment's workload, or profile "
            "the network by that convention: workload=..."
        )
