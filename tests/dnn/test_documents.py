"""Files of profiles: what is written is read back, hostile files are refused by a sentence, the schema agrees."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dnn.test_profile import profiles, tiny
from vec_envs import cooperative_inference_v0, dnn_partition_v0, mobile_inference_v0, task_diversion_v0
from vec_envs.dnn import DNNProfile, EarlyExit, MeasuredTimes
from vec_envs.dnn.choices import as_options, as_profiles
from vec_envs.dnn.documents import merged
from vec_envs.dnn.profile import profile_of, rendered
from vec_envs.dnn.workload import WORKLOADS

LIBRARY = resources.files("vec_envs.dnn") / "library"
accepted_by_schema = fastjsonschema.compile(
    json.loads((resources.files("vec_envs.dnn") / "profile.schema.json").read_text())
)
ENVIRONMENTS = {
    dnn_partition_v0: {},
    task_diversion_v0: {},
    cooperative_inference_v0: {"memory_budget_gb": (0.1, 0.1)},
    mobile_inference_v0: {},
}


EXIT = EarlyExit(after_layer=1, accuracy=0.625)


def document() -> dict[str, Any]:
    return json.loads(json.dumps(asdict(replace(tiny(), measured=(times(),), exits=(EXIT,)))))


def times() -> MeasuredTimes:
    return MeasuredTimes(device="board", layer_s=(0.1, 0.3), source="mine")


def changed(path: str, value: Any) -> dict[str, Any]:
    content: Any = document()
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = content
    for part in parents:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return content


@settings(max_examples=25, deadline=None)
@given(profile=profiles(), workload=st.sampled_from([None, *WORKLOADS]), name=st.text(max_size=200))
def test_a_written_profile_is_read_back_exactly(tmp_path_factory, profile, workload, name):
    first = profile.layers[0]
    measured = MeasuredTimes(device=name, layer_s=tuple(layer.gmacs / 3 for layer in profile.layers), source=name)
    layers = (replace(first, name=name), *profile.layers[1:])
    exits = tuple(EarlyExit(after_layer=n + 1, accuracy=n / 9) for n in range(0, len(layers), 2))
    profile = replace(profile, name=name, layers=layers, workload=workload, measured=(measured,), exits=exits)
    path = tmp_path_factory.getbasetemp() / "profile.json"
    profile.write(path)
    assert DNNProfile.read(path, workload="rtd") == profile
    accepted_by_schema(json.loads(path.read_text()))
    stored = json.loads(json.dumps(as_options((profile,))))
    assert as_profiles(stored, workload="rtd") == (profile,)


def test_a_network_without_exits_has_the_document_that_it_had_before_there_were_exits() -> None:
    (stored,) = as_options((tiny(),))
    assert list(stored) == ["name", "input_mbit", "layers", "workload", "measured"]
    assert as_profiles((stored,), workload="rtd") == (tiny(),)
    assert profile_of(json.dumps({**stored, "exits": None}), workload="rtd") == tiny()


def test_files_of_the_library_follow_the_schema_and_hold_every_convention():
    for name in DNNProfile.library():
        path = LIBRARY / f"{name}.json"
        accepted_by_schema(json.loads(path.read_text()))
        for workload in WORKLOADS:
            assert DNNProfile.read(str(path), workload) == DNNProfile.load(name, workload)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "a DNN profile must be an object, got a list"),
        (None, "must be an object, got null"),
        (changed("layers", ...), "must have name, input_mbit, layers.*; it lacks layers"),
        (changed("layers", {}), "layers must be a list, got an object"),
        (changed("layers", []), "layers must have from 1 to 10000 entries, got 0"),
        (changed("layers", [{}] * 20_000), "layers must have from 1 to 10000 entries, got 20000"),
        (changed("layers.1", "x"), r"layers\[1\] must be an object, got text"),
        (changed("layers.1.gmacs", ...), r"layers\[1\] must have .*; it lacks gmacs"),
        (changed("layers.1.gmacs", -1.0), r"gmacs of layers\[1\] must be a finite number of at least 0, got -1.0"),
        (changed("layers.1.gmacs", True), r"gmacs of layers\[1\] must be a finite number"),
        (changed("layers.1.gflops", "1"), r"gflops of layers\[1\] must be a finite number of at least 0, got '1'"),
        (changed("layers.1.gflops", {"flops": 1}), r"a convention in gflops of layers\[1\] must be one of .*'flops'"),
        (changed("layers.1.gflops", {}), r"gflops of layers\[1\] must hold at least 1 convention"),
        (changed("layers.1.gflops", {"rtd": 1}), "gflops must have the same conventions in all layers"),
        (changed("layers.1.name", "a" * 201), r"name of layers\[1\] must be text of at most 200 characters"),
        (changed("layers.1.output", 1), r"layers\[1\] may have .*; it has the unknown 'output'"),
        (changed("measurd", []), "a DNN profile may have .*; it has the unknown 'measurd'"),
        (changed("name", 5), "name must be text of at most 200 characters, got 5"),
        (changed("input_mbit", None), "input_mbit must be a finite number of at least 0, got None"),
        (changed("workload", "guess"), "workload must be one of .* got 'guess'"),
        (changed("measured.0.layer_s", [1.0]), r"layer_s of measured\[0\] must have 2 entries, got 1"),
        (changed("measured.0.layer_s.1", -1.0), r"layer_s of measured\[0\] must be a finite number of at least 0"),
        (changed("measured.0.device", ["x"]), r"device of measured\[0\] must be text"),
        (changed("measured", [document()["measured"][0]] * 2), "must name each device once"),
        (changed("exits", {"1": 0.5}), "exits must be a list, got an object"),
        (changed("exits.0", 1), r"exits\[0\] must be an object, got a number"),
        (changed("exits.0.accuracy", ...), r"exits\[0\] must have after_layer, accuracy; it lacks accuracy"),
        (changed("exits.0.work", 1.0), r"exits\[0\] may have .*; it has the unknown 'work'"),
        (changed("exits.0.accuracy", 71.0), r"accuracy of exits\[0\] must be a number from 0 to 1, got 71.0"),
        (changed("exits.0.accuracy", True), r"accuracy of exits\[0\] must be a number from 0 to 1, got True"),
        (changed("exits.0.after_layer", "a"), r"after_layer of exits\[0\] must be an integer of at least 1, got 'a'"),
        (changed("exits.0.after_layer", 0), r"after_layer of exits\[0\] must be an integer of at least 1, got 0"),
        (changed("exits.0.after_layer", 3), "after_layer of an exit of profile 'tiny' must be at most 2, got 3"),
        (changed("exits", [document()["exits"][0]] * 2), "must name each layer once, got 1 twice"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_is_refused_by_a_sentence(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(content, separators=(",", ":")))
    with pytest.raises(ValueError, match=rf"wrong.json: .*{message}"):
        DNNProfile.read(path)
    with pytest.raises(ValueError, match=message):
        as_profiles((str(path),), workload="mad2rl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON"),
        ("[" * 100_000, "deeper than 32"),
        ('{"name": NaN}', "NaN is not a number"),
        ('{"name": 1e999}', "too large"),
        (" " * (2**22 + 1), "must have at most 4194304 bytes"),
    ],
)
def test_a_hostile_text_is_refused_by_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "hostile.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        DNNProfile.read(tmp_path / "hostile.json")


def test_a_missing_file_and_an_unknown_name_have_their_own_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DNNProfile.read(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"dnns names the file 'none\.json', which does not exist"):
        as_profiles(("none.json",), workload="rtd")
    with pytest.raises(ValueError, match=r"must be one of 'alexnet', .* 'yolov8n', got 'vgg17'"):
        as_profiles(("vgg17",), workload="rtd")
    with pytest.raises(ValueError, match="must be a regular file, got a folder"):
        as_profiles((tmp_path,), workload="rtd")


@pytest.mark.parametrize("factory", ENVIRONMENTS, ids=lambda factory: factory.__name__)
def test_every_environment_takes_files_paths_documents_and_names(factory: Any, tmp_path: Path) -> None:
    own = replace(tiny(), name="own", workload=None)
    own.write(tmp_path / "own.json")
    for dnn in (str(tmp_path / "own.json"), tmp_path / "own.json", as_options((own,))[0], own):
        problem = factory.factory.problem(dnns=(dnn, "vgg16"), **ENVIRONMENTS[factory])
        assert problem.profiles[0] == own
        assert problem.profiles[1].name == "vgg16"


@pytest.mark.parametrize("factory", ENVIRONMENTS, ids=lambda factory: factory.__name__)
def test_conventions_are_not_mixed(factory: Any) -> None:
    by_rtd, by_mad2rl = (DNNProfile.load("alexnet", workload) for workload in ("rtd", "mad2rl"))
    own = replace(by_rtd, name="own"), by_mad2rl
    with pytest.raises(ValueError, match="by one convention, got 'own' by 'rtd', 'alexnet' by 'mad2rl'; set the env"):
        factory.factory.problem(dnns=own, **ENVIRONMENTS[factory])
    unknown = replace(by_rtd, name="own", workload=None), by_mad2rl
    assert factory.factory.problem(dnns=unknown, **ENVIRONMENTS[factory]).profiles == unknown


def test_a_file_of_several_conventions_fits_environments_of_each() -> None:
    by_workload = {workload: DNNProfile.load("nin", workload) for workload in WORKLOADS}
    text = rendered(merged({workload: asdict(profile) for workload, profile in by_workload.items()}))
    for workload, profile in by_workload.items():
        assert profile_of(text, workload=workload) == profile
    with pytest.raises(ValueError, match="workload of the DNN 'nin' must be 'rtd', got 'mad2rl'"):
        profile_of(rendered(merged({"rtd": asdict(by_workload["rtd"])})), workload="mad2rl")
