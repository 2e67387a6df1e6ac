"""What a profile promises about its cuts, and what it refuses."""

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vec_envs.dnn import DNNProfile, EarlyExit, Layer

LIBRARY = ("alexnet", "resnet18", "vgg16")
CUT_ARRAYS = (
    "cut_mbit",
    "local_gflops",
    "edge_gflops",
    "local_gmacs",
    "edge_gmacs",
    "local_parameter_mbyte",
    "edge_parameter_mbyte",
)
NUMBERS = st.floats(min_value=0.0, max_value=1e3, allow_subnormal=False)


def layer(**changes):
    return Layer(**{"name": "a", "gflops": 1.5, "gmacs": 0.7, "output_mbit": 3.0, "parameter_mbyte": 0.25} | changes)


def tiny():
    last = layer(name="b", gflops=2.0, gmacs=1.0, output_mbit=0.5, parameter_mbyte=4.0)
    return DNNProfile(name="tiny", input_mbit=5.0, layers=(layer(), last))


@st.composite
def profiles(draw):
    fields = st.fixed_dictionaries(
        {"gflops": NUMBERS, "gmacs": NUMBERS, "output_mbit": NUMBERS, "parameter_mbyte": NUMBERS}
    )
    rows = draw(st.lists(fields, min_size=1, max_size=8))
    return DNNProfile(name="drawn", input_mbit=draw(NUMBERS), layers=tuple(layer(**row) for row in rows))


def test_every_cut_matches_hand_computed_values():
    profile = tiny()
    assert profile.num_layers == 2
    assert profile.cut_mbit.tolist() == [5.0, 3.0, 0.0]
    assert profile.output_mbit.tolist() == [3.0, 0.5]
    assert profile.local_gflops.tolist() == [0.0, 1.5, 3.5]
    assert profile.edge_gflops.tolist() == [3.5, 2.0, 0.0]
    assert profile.local_gmacs.tolist() == [0.0, 0.7, 1.7]
    assert profile.edge_gmacs.tolist() == [1.7, 1.0, 0.0]
    assert profile.local_parameter_mbyte.tolist() == [0.0, 0.25, 4.25]
    assert profile.edge_parameter_mbyte.tolist() == [4.25, 4.0, 0.0]


def test_exits_are_kept_in_the_order_of_their_layers():
    last, first = EarlyExit(after_layer=2, accuracy=1.0), EarlyExit(after_layer=1, accuracy=0.5)
    assert replace(tiny(), exits=(last, first)).exits == (first, last)
    assert replace(tiny(), exits=(first,)) != tiny()
    hash(replace(tiny(), exits=(last, first)))


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        (EarlyExit(after_layer=1, accuracy=0.5), "exits of profile 'tiny' must be a list"),
        (({"after_layer": 1, "accuracy": 0.5},), "exits of profile 'tiny' must hold EarlyExit objects, got"),
        (
            (EarlyExit(after_layer=3, accuracy=0.5),),
            "after_layer of an exit of profile 'tiny' must be at most 2, got 3",
        ),
        ((EarlyExit(after_layer=1, accuracy=0.5),) * 2, "must name each layer once, got 1 twice"),
    ],
)
def test_wrong_exits_are_refused(exits, message):
    with pytest.raises(ValueError, match=message):
        replace(tiny(), exits=exits)


@given(profile=profiles())
def test_a_cut_divides_the_work_and_loses_none(profile):
    for local, edge, field in (
        (profile.local_gflops, profile.edge_gflops, "gflops"),
        (profile.local_gmacs, profile.edge_gmacs, "gmacs"),
        (profile.local_parameter_mbyte, profile.edge_parameter_mbyte, "parameter_mbyte"),
    ):
        total = float(sum(Fraction(getattr(each, field)) for each in profile.layers))
        np.testing.assert_allclose(local + edge, total, rtol=1e-14)
        assert (np.diff(local) >= 0).all()
        assert (np.diff(edge) <= 0).all()
        assert local[0] == edge[-1] == 0.0
    assert profile.cut_mbit[0] == profile.input_mbit
    assert profile.cut_mbit[-1] == 0.0


@pytest.mark.parametrize("name", CUT_ARRAYS)
def test_arrays_have_one_entry_per_cut_and_are_read_only(name):
    profile = tiny()
    array = getattr(profile, name)
    assert array.shape == (3,)
    assert array.dtype == np.float64
    assert getattr(profile, name) is array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1.0


def test_profiles_are_compared_by_value():
    first, second = tiny(), tiny()
    before = first.cut_mbit
    assert first == second
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert first != DNNProfile(name="tiny", input_mbit=5.1, layers=first.layers)
    assert first.cut_mbit is before
    with pytest.raises(AttributeError):
        first.input_mbit = 2.0


def test_layers_without_work_or_output_are_allowed():
    idle = layer(gflops=0.0, gmacs=0.0, output_mbit=0.0, parameter_mbyte=0.0)
    profile = DNNProfile(name="idle", input_mbit=0.0, layers=(idle, layer()))
    assert profile.local_gflops.tolist() == [0.0, 0.0, 1.5]
    assert profile.cut_mbit.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("field", ["gflops", "gmacs", "output_mbit", "parameter_mbyte"])
@pytest.mark.parametrize("number", [-1e-9, math.nan, math.inf, -math.inf, None, "x"])
def test_impossible_layers_are_refused(field, number):
    message = f"{field} of layer 'a' must be a finite number of at least 0, got {number!r}"
    with pytest.raises(ValueError, match=message):
        layer(**{field: number})


@pytest.mark.parametrize("number", [-0.5, math.nan, math.inf])
def test_impossible_inputs_are_refused(number):
    with pytest.raises(ValueError, match=rf"input_mbit of profile 'tiny' must be .*, got {number}"):
        DNNProfile(name="tiny", input_mbit=number, layers=tiny().layers)


def test_a_profile_needs_a_layer():
    with pytest.raises(ValueError, match="'none' must have at least 1 layer, got 0 layers"):
        DNNProfile(name="none", input_mbit=1.0, layers=())


@pytest.mark.parametrize("layers", [5, "ab", ("a", "b")])
def test_layers_of_another_type_are_refused(layers):
    with pytest.raises(ValueError, match="layers"):
        DNNProfile(name="wrong", input_mbit=1.0, layers=layers)


def test_fields_are_keyword_only():
    with pytest.raises(TypeError):
        Layer("a", 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", ["vgg17", "", "VGG16", "../profile", "vgg16.json"])
def test_an_unknown_name_lists_the_library(name):
    with pytest.raises(ValueError, match=".*".join(LIBRARY)):
        DNNProfile.load(name)


def test_an_unknown_workload_lists_the_known_ones():
    with pytest.raises(ValueError, match="workload must be one of 'mad2rl', 'mad2rl-literal', 'rtd', got 'flops'"):
        DNNProfile.load("vgg16", workload="flops")


def test_the_library_is_listed_in_order():
    assert set(LIBRARY) <= set(DNNProfile.library())
    assert list(DNNProfile.library()) == sorted(DNNProfile.library())


def test_from_torch_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "vec_envs.dnn.torch_profile", raising=False)
    monkeypatch.delitem(sys.modules, "vec_envs.dnn.torch_operations", raising=False)
    with pytest.raises(ImportError, match=r'pip install "vec-envs\[train\]"'):
        DNNProfile.from_torch(object(), object(), name="none")


def test_the_package_imports_without_torch():
    program = "import sys, vec_envs.dnn as d; d.DNNProfile.load('vgg16'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_lists_and_whole_numbers_make_the_same_profile():
    """In a process of its own, since annotations are enforced under pytest."""
    program = (
        "from vec_envs.dnn import DNNProfile, Layer\n"
        "layer = Layer(name='a', gflops=1, gmacs=2, output_mbit=3, parameter_mbyte=4)\n"
        "profile = DNNProfile(name='p', input_mbit=5, layers=[layer])\n"
        "hash(profile)\n"
        "print(repr(profile))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    only = layer(gflops=1.0, gmacs=2.0, output_mbit=3.0, parameter_mbyte=4.0)
    assert printed.strip() == repr(DNNProfile(name="p", input_mbit=5.0, layers=(only,)))
