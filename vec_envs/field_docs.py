"""The docstrings under the fields of a dataclass, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any


def field_docs(dataclass_type: type[Any]) -> dict[str, str]:
    """Returns the docstrings under a dataclass's fields, each as one line; empty if the source is not available."""
    try:
        source = inspect.getsource(dataclass_type)
    except OSError:
        return {}
    (class_definition,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(class_definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement, next_statement in pairwise(class_definition.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(next_statement, ast.Expr) and isinstance(next_statement.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(next_statement.value.value).split())
    return docs
