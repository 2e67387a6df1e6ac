"""The parsers of files that others write: valid files, how they are mutated, and the errors that are documented."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.plan import custom_policy_job, jobs_of
from benchmarks.leaderboard.case_results import CaseResults, custom_policies, read_all
from benchmarks.results import result as results
from benchmarks.results.naming import digest_of, key_of, name_of
from benchmarks.results.stores import open_results
from benchmarks.suites.suite import Reference
from benchmarks.verify import SUBMISSION, Submission
from sumo_scenarios.traces.conversion import Conversion, convert
from sumo_scenarios.traces.motion import Cutting
from sumo_scenarios.traces.table import Columns
from tests.benchmarks.known import BASE, EPISODES, THEIRS, UNSEEN, kept_by
from tests.fuzz.mutations import (
    Arrays,
    Edit,
    archive_of,
    edited_arrays,
    edited_bytes,
    edited_json,
    edited_tokens,
    json_text,
)
from trainers.registry import learner_named
from trainers.runs.configuration import as_json, check_env_id, from_json, learner_of
from trainers.runs.directory import RunDirectory
from trainers.runs.options import check_fit, preset_run
from vec_envs.dnn.profile import DNNProfile
from vec_envs.mobility import EpisodeShape, ReplayMobility, Scenario, TrafficError
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.recording import RECORDINGS

Edits = Sequence[Edit]
ROOT = Path(__file__).parents[2]
FRAME = {"x_m": [None, 1.0], "y_m": [None, 1.0], "waits": [0.0, 2.0, None, 1.0], "links": [[0, 1, "alexnet"]],
         "caption": "", "arrived": [0]}  # fmt: skip
NODES = [{"name": "c0", "kind": "client"}, {"name": "RSU", "kind": "rsu"}]
CASES = [replace(case, policies=(Reference(name="least-delay"),)) for case in (BASE, UNSEEN)]
QUEUES = [{"name": "Waiting", "unit": "s"}, {"name": "Energy queue", "unit": ""}]
RECORDING = {"case": "", "policy": "", "slot_s": 1.0, "unit": "s", "nodes": NODES, "frames": [FRAME] * 2,
             "queues": QUEUES}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Parser:
    """A reader of a file that somebody else may have written."""

    name: str
    file: str
    """The path of the file in the folder that `parse` gets; `*` where the content gives the name."""
    seeds: Callable[[], Sequence[Any]]
    """Returns valid files: their bytes, their JSON content, or their arrays."""
    mutate: Callable[[Any, Edits], bytes]
    """Returns the bytes of a valid file after some edits."""
    parse: Callable[[Path], str | None]
    """Reads the folder, and reads on as its users would where the file is accepted. May return another outcome."""
    refused: tuple[type[Exception], ...]
    """The errors that `parse` may raise."""


def by_json(content: Any, edits: Edits) -> bytes:
    """Returns JSON after edits of its content; those of an odd place change the bytes instead."""
    inner = [edit for edit in edits if edit[1] % 4]
    data = json_text(functools.reduce(edited_json, inner, content))
    return functools.reduce(edited_bytes, [edit for edit in edits if not edit[1] % 4], data)


def by_sealed_json(content: Any, edits: Edits) -> bytes:
    """Returns a result after edits, most of them with the name and the hashes that fit its content."""
    changed = functools.reduce(edited_json, edits, content)
    try:
        hashes = {"key": key_of(changed["definition"]), "name": name_of(changed["definition"])}
        sealed = {**changed, **hashes}
        sealed["digest"] = digest_of(sealed)
        return json_text(sealed)
    except (KeyError, TypeError, ValueError):
        return by_json(content, edits)


def by_lines(contents: Any, edits: Edits) -> bytes:
    """Returns a `.jsonl` file of results after edits of one of them and of the bytes."""
    at = edits[0][2] % len(contents)
    lines = [by_sealed_json(of, edits[1:] if n == at else ()) for n, of in enumerate(contents)]
    return edited_bytes(b"\n".join(lines) + b"\n", edits[0])


def by_tokens(text: str, edits: Edits) -> bytes:
    """Returns a text after edits of its tokens and of its bytes."""
    changed = functools.reduce(edited_tokens, [edit for edit in edits if edit[1] % 4], text)
    data = changed.encode(errors="surrogatepass")
    return functools.reduce(edited_bytes, [edit for edit in edits if not edit[1] % 4], data)


def by_archive(arrays: Arrays, edits: Edits) -> bytes:
    """Returns an archive after edits of its arrays, its header, its directory or its bytes."""
    for edit in (edit for edit in edits if edit[1] % 4 == 1):
        arrays = edited_arrays(arrays, edit)
    header = json.loads(str(arrays["header"]))
    of_header = [edit for edit in edits if edit[1] % 4 == 2]
    text = json_text(functools.reduce(edited_json, of_header, header)).decode()
    data = archive_of({**arrays, "header": np.array(text)}, [edit for edit in edits if edit[1] % 4 == 3])
    return functools.reduce(edited_bytes, [edit for edit in edits if not edit[1] % 4], data)


def result_contents() -> list[dict[str, Any]]:
    """Returns valid results: of a reference, of a trained learner, of a custom policy, and with a recording."""
    recorded = replace(BASE, recorded=True)
    jobs = [jobs_of(BASE, policy, 1)[0] for policy in BASE.policies if policy.name in ("mine", "least-delay")]
    jobs += [custom_policy_job(BASE, {**THEIRS, "sees": {"observation": "extended"}})]
    jobs += jobs_of(recorded, Reference(name="random"), 1)
    return [_content(job.definition, curve=job.training is not None, recorded=job.kept.recorded) for job in jobs]


def _content(definition: Any, *, curve: bool, recorded: bool) -> dict[str, Any]:
    kept = kept_by(replace(BASE, recorded=recorded))
    content = {
        "format": 2, "name": name_of(definition), "key": key_of(definition), "seed": definition["policy"].get("seed"),
        "definition": json.loads(json.dumps(definition)), "kept": kept.as_json(),
        "provenance": {"version": "0.1", "commit": None, "dirty": None, "machine": "x", "versions": {}},
        "training_s": 1.0, "evaluation_s": 1.0, "decision_ms": 0.5, "decisions": [30] * EPISODES,
        "values": {name: [1.5] * EPISODES for name in kept.values},
        "curve": {"episodes": [1.0, 2.0], kept.metrics[0]: [2.0, 1.0]} if curve else None,
        "traces": {name: [0.5] * 30 for name in kept.traces},
        **({"recording": RECORDING} if recorded else {}),
    }  # fmt: skip
    return {**content, "digest": digest_of(content)}


def parse_result(folder: Path) -> None:
    (path,) = folder.iterdir()
    results.read(path)


def parse_board(folder: Path) -> str:
    """Reads a folder as the leaderboard does. Every text in it is a result, or is left out by name."""
    store = open_results(folder)
    found, rejected = read_all([store], CASES)
    if {entry.name for entry in store.entries} - set(found) and not rejected:
        raise AssertionError("a text is neither a result nor left out")
    if any(not of.what or len(of.why) > 1000 for of in rejected):
        raise AssertionError(f"a reason is no sentence: {rejected}")
    custom = custom_policies(found, CASES)
    for case in CASES:
        CaseResults.of(case, 1, found, custom)
    return "left out" if rejected else "accepted"


def parse_config(folder: Path) -> None:
    text = RunDirectory(folder).config()
    learner = learner_named(learner_of(text))
    check_env_id(text, LEARNERS.get(learner.name, ""))  # a mutated id could name any module of this machine
    run = from_json(text, learner)
    check_fit(learner, run)
    as_json(run, learner.name)


LEARNERS = {"qmix": "VEC-DNNPartition-v0", "sac": "VEC-TaskDiversion-v0", "ppo": "VEC-CooperativeInference-v0"}


def config_contents() -> list[Any]:
    """Returns the content of a `config.json` of each kind of learner."""
    learners = [(learner_named(name), env_id) for name, env_id in LEARNERS.items()]
    return [json.loads(as_json(preset_run(of, "tuned", env_id), of.name)) for of, env_id in learners]


def parse_recording(folder: Path) -> None:
    mobility = ReplayMobility(folder / "recording.npz")
    RoadAxis(mobility.road)
    shape = EpisodeShape(num_client_vehicles=2, num_service_vehicles=1, num_slots=4, slot_s=1.0)
    for of_shape in (shape, replace(shape, come_and_go=True)):
        next(mobility.blocks(0, of_shape))


def recordings() -> list[Arrays]:
    """Returns the arrays of small recordings, of both versions of the format."""
    found: list[Arrays] = []
    for name in ("fdr-drive", "two-way-road", "arterial"):
        with np.load(RECORDINGS / f"{name}.npz") as file:
            arrays = {of: file[of] for of in file.files}
        number = int(arrays["vehicles"][:1].sum())
        small = {of: array[:8, :number] for of, array in arrays.items() if array.ndim > 1}
        flags = {of: array[:number] for of, array in arrays.items() if array.dtype.kind == "b" and array.ndim == 1}
        if "present" in small:
            stay = np.flatnonzero(small["present"].any(axis=0))
            small = {of: array[:, stay] for of, array in small.items()}
            flags, number = {of: array[stay] for of, array in flags.items()}, len(stay)
        vehicles = np.array([number], dtype=np.int32)
        header = np.array(str(arrays["header"]).replace('"slot_s": 0.5', '"slot_s": 1.0'))
        found.append({"header": header, "vehicles": vehicles, **small, **flags})
    return found


def parse_scenario(folder: Path) -> None:
    for name in ("net.xml", "rou.xml"):
        (folder / name).touch()
    RoadAxis(Scenario.load(folder).road)


def parse_trace(folder: Path) -> None:
    (path,) = folder.iterdir()
    cutting = Cutting(slot_s=1.0, max_gap_s=20.0, top_speed_mps=60.0)
    columns = Columns(vehicle="id", time="time", x="x", y="y") if path.suffix == ".csv" else None
    convert(path, Conversion(cutting=cutting, slots=20, columns=columns))


def tables() -> list[str]:
    """Returns the text of a small trace."""
    return ["id,time,x,y\n" + "".join(f"v{n},{t},{10 * t + 40 * n},{n}\n" for n in range(3) for t in range(12))]


def fcds() -> list[str]:
    """Returns the text of a small trace of SUMO."""
    seen = [f'<vehicle id="v{n}" x="{{x}}" y="{n}.5" type="car" speed="3.5"/>' for n in range(3)]
    steps = [f'<timestep time="{t}">{"".join(seen).replace("{x}", str(9 * t))}</timestep>' for t in range(12)]
    return ["<fcd-export>" + "".join(steps) + "</fcd-export>"]


def _texts(pattern: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern))]


def _json(pattern: str) -> list[Any]:
    return [json.loads(text) for text in _texts(pattern)]


PARSERS = {
    parser.name: parser
    for parser in (
        Parser(
            name="result", file="*", seeds=result_contents, mutate=by_json, parse=parse_result, refused=(ValueError,)
        ),
        Parser(name="board", file="*", seeds=result_contents, mutate=by_sealed_json, parse=parse_board, refused=()),
        Parser(
            name="lines", file="all.jsonl", seeds=lambda: [result_contents()[1:3]], mutate=by_lines, parse=parse_board,
            refused=(ValueError,),
        ),
        Parser(
            name="submission", file=SUBMISSION, seeds=lambda: [{"suite": "main", "policy": "hers:Policy", "seeds": 3}],
            mutate=by_json, parse=lambda folder: Submission.read(folder) and None, refused=(ValueError,),
        ),
        Parser(
            name="config", file="config.json", seeds=config_contents, mutate=by_json, parse=parse_config,
            refused=(ValueError,),
        ),
        Parser(
            name="recording", file="recording.npz", seeds=recordings, mutate=by_archive, parse=parse_recording,
            refused=(TrafficError,),
        ),
        Parser(name="table", file="a.csv", seeds=tables, mutate=by_tokens, parse=parse_trace, refused=(ValueError,)),
        Parser(name="fcd", file="a.xml", seeds=fcds, mutate=by_tokens, parse=parse_trace, refused=(ValueError,)),
        Parser(
            name="profile", file="profile.json", seeds=lambda: _json("vec_envs/dnn/library/alexnet.json"),
            mutate=by_json, refused=(ValueError,),
            parse=lambda folder: DNNProfile.read(folder / "profile.json", workload="rtd") and None,
        ),
        Parser(
            name="scenario", file="scenario.toml", seeds=lambda: _texts("sumo_scenarios/*/scenario.toml"),
            mutate=by_tokens, parse=parse_scenario, refused=(ValueError,),
        ),
    )
}  # fmt: skip
