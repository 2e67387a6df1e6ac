"""Every equation has one home: the docstrings and `docs/equations.md` say the same."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("vec_envs", "trainers")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TAG = re.compile(r"Paper: (\w+) (Eq\. \(\d+\)|Eqs\. \(\d+\)(?:-\(\d+\)|, \(\d+\))+)\.")
ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \|")
LAST = {"MAD2RL": 61, "RTD": 30, "LyMDO": 24}

Equation = tuple[str, int]


def documented(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Yields the dotted name and the docstring of all that has one."""

    def below(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield name, text
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                yield from below(child, f"{name}.{child.name}")

    return below(tree, module)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def numbers(text: str) -> list[int]:
    """Returns the numbers of `Eqs. (42)-(44), (47)`."""
    found: list[int] = []
    for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", text):
        found += range(int(first), int(last or first) + 1)
    return found


def tags() -> list[tuple[Equation, str]]:
    """Returns every tagged equation with the dotted name of what its tag stands in."""
    return [
        ((paper, number), name)
        for path in FILES
        for name, text in documented(ast.parse(path.read_text()), module_of(path))
        for paper, equations in TAG.findall(text)
        for number in numbers(equations)
    ]


def table() -> list[tuple[Equation, str]]:
    """Returns the page's rows: the equation and its last column."""
    rows: list[tuple[Equation, str]] = []
    paper = ""
    for line in (ROOT / "docs" / "equations.md").read_text().splitlines():
        if line.startswith("## "):
            paper = line.removeprefix("## ")
        elif match := ROW.fullmatch(line):
            rows.append(((paper, int(match[1])), match[3]))
    return rows


def homes() -> dict[Equation, str]:
    """Returns the home in the code of each equation that the page gives one."""
    return {equation: home.strip("`") for equation, home in table() if home.startswith("`")}


def test_a_tag_is_parsed_into_equation_numbers() -> None:
    assert numbers("Eqs. (42)-(44), (47)") == [42, 43, 44, 47]
    assert TAG.findall("Paper: RTD Eq. (5).\nPaper: MAD2RL Eqs. (4), (9)-(11).") == [
        ("RTD", "Eq. (5)"),
        ("MAD2RL", "Eqs. (4), (9)-(11)"),
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_tag_is_well_formed_and_in_a_docstring(path: Path) -> None:
    source = path.read_text()
    lines = [line.strip() for line in source.splitlines() if line.strip().startswith("Paper:")]
    assert [line for line in lines if not TAG.fullmatch(line)] == []
    in_docstrings = [m[0] for _, text in documented(ast.parse(source), module_of(path)) for m in TAG.finditer(text)]
    assert Counter(lines) == Counter(in_docstrings)


def test_a_departure_follows_a_tag() -> None:
    stray = [
        f"{path.name}:{number}"
        for path in FILES
        for number, (before, line) in enumerate(pairwise(path.read_text().splitlines()), start=2)
        if line.strip().startswith("Differs:") and not before.strip().startswith("Paper:")
    ]
    assert stray == []


@pytest.mark.parametrize("paper", LAST)
def test_every_equation_of_a_paper_has_one_row(paper: str) -> None:
    rows = [number for (of, number), _ in table() if of == paper]
    assert rows == list(range(1, LAST[paper] + 1))


def test_there_are_no_other_papers() -> None:
    assert {paper for (paper, _), _ in table()} == LAST.keys()


def test_no_equation_has_two_rows_or_two_tags() -> None:
    assert [e for e, count in Counter(e for e, _ in table()).items() if count > 1] == []
    assert [e for e, count in Counter(e for e, _ in tags()).items() if count > 1] == []


def test_tags_and_table_name_the_same_homes() -> None:
    assert dict(tags()) == homes()


def test_a_row_without_a_home_says_why() -> None:
    for equation, home in table():
        assert home.startswith("`") or re.fullmatch(r"(not implemented|planned): \w.+", home), equation
