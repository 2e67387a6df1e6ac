"""A learner of the user's own is known once its module has registered it."""

from __future__ import annotations

import dataclasses

import pytest

from trainers import registry
from trainers.qmix import LEARNER
from trainers.registry import learner_named, register


@pytest.fixture(autouse=True)
def no_learners_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {})


def test_a_registered_learner_is_found_by_its_name() -> None:
    own = dataclasses.replace(LEARNER, name="my_learner")
    with pytest.raises(ValueError, match=r"'my_learner' is unknown; known are: 'dqn', .*import the module"):
        learner_named("my_learner")
    assert register(own) is own
    assert learner_named("my_learner") is own
    assert learner_named("qmix") is LEARNER


def test_a_learner_of_the_project_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="name='qmix' is a learner of this project: choose another name"):
        register(LEARNER)
    assert learner_named("qmix") is LEARNER


def test_registering_again_replaces_a_learner_of_ones_own() -> None:
    first, second = (dataclasses.replace(LEARNER, name="my_learner", revision=n) for n in (1, 2))
    register(first)
    register(second)
    assert learner_named("my_learner") is second
