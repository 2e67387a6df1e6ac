"""The option `--version`, which every command has."""

from __future__ import annotations

import argparse
import importlib


def version_text() -> str:
    """Returns the text that `--version` prints."""
    package = importlib.import_module("vec_envs")  # a static import would let every room below see all others
    return f"VEC-Envs {package.__version__}"


def add_version(parser: argparse.ArgumentParser) -> None:
    """Adds `--version` to a command, which prints the version of this project and exits."""
    parser.add_argument("--version", action="version", version=version_text(), help="print the version and exit")
