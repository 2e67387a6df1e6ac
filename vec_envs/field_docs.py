"""What the docstrings under a dataclass's fields say, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any


def field_docs(kind: type[Any]) -> dict[str, str]:
    """Returns the docstrings under a dataclass's fields, in one line each; none where its source is not at hand."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    (of_class,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(of_class, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement, following in pairwise(of_class.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs
