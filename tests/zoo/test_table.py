"""The page of the zoo says from its data what was listed, and whether all of it was tried."""

from __future__ import annotations

from typing import Any

from tests.zoo.table import render


def row(package: str, group: str, name: str) -> dict[str, Any]:
    counted = {"status": "passed", "layers": 5, "macs_off": 0.0, "parameters_off": 0.002}
    return {"package": package, "group": group, "name": name, **counted}


TRIED = [row("timm", "vgg", "vgg11"), row("timm", "resnet", "resnet18"), row("smp", "unet", "unet-vgg11")]


def test_a_stopped_run_says_of_which_packages_the_rest_is_missing() -> None:
    lists = [{"package": "timm", "listed": {"vgg": 1, "resnet": 2}, "of_each_family": 2}]
    page = render([*lists, *TRIED, {"package": "smp", "listed": {"unet": 1}}])
    text = " ".join(page.split())
    assert "timm: 2 of each source file of its models;" in text
    assert "This page holds 3 of 4 models: the run was stopped before the end of the list (timm), so shares" in text
    assert "| timm | all | 3 | 2 | 2 | 2 | 100% | 0.00%, 0.20% | 5 |" in page


def test_a_complete_run_says_so_and_the_newest_list_counts() -> None:
    lists = [{"package": "timm", "listed": {"vgg": 9}, "of_each_family": 0}, {"package": "smp", "listed": {"unet": 1}}]
    newest = {"package": "timm", "listed": {"vgg": 1, "resnet": 1}, "of_each_family": 0}
    page = " ".join(render([*lists, *TRIED, newest]).split())
    assert "This page holds all of them, 3 models." in page
    assert "timm: all models;" in page
    assert "stopped" not in page


def test_rows_without_a_list_claim_nothing_about_the_end() -> None:
    assert "This page holds 3 models; how many there are was not recorded." in " ".join(render(TRIED).split())
