"""The option `--version`, which every command has."""

from __future__ import annotations

import argparse

import vec_envs


def version_text() -> str:
    """Returns what `--version` prints."""
    return f"VEC-Envs {vec_envs.__version__}"


def add_version(parser: argparse.ArgumentParser) -> None:
    """Adds `--version` to a command, which prints the version of this project and exits."""
    parser.add_argument("--version", action="version", version=version_text(), help="print the version and exit")
