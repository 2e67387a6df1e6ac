"""Writes the files of the library, `library/*.json`, from `architectures`.

python -m vec_envs.dnn.build_library            writes the files
python -m vec_envs.dnn.build_library --check    compares them instead: exits with 1 and lists the files that differ
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from vec_envs.command_parser import CommandParser
from vec_envs.dnn.architectures import ARCHITECTURES, Architecture
from vec_envs.dnn.geometry import Stage
from vec_envs.dnn.profile import rendered
from vec_envs.dnn.workload import WORKLOADS, logical_layer, mbit
from vec_envs.files import check_output_file

LIBRARY = Path(__file__).parent / "library"


def render(architecture: Architecture) -> str:
    """Returns the text of an architecture's file."""
    document = {
        "name": architecture.name,
        "sources": architecture.sources,
        "made_by": "python -m vec_envs.dnn.build_library",
        "input_shape": architecture.input_shape,
        "input_mbit": mbit(math.prod(architecture.input_shape)),
        "layers": [_row(name, stage) for name, stage in architecture.stages()],
    }
    return rendered(document)


def main(arguments: Sequence[str] | None = None, *, library: Path = LIBRARY) -> int:
    """Writes or checks every file, and returns the exit status."""
    parser = CommandParser(prog="python -m vec_envs.dnn.build_library", description="Build the DNN library.")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    check: bool = parser.parse_args(arguments).check
    stale: list[str] = []
    try:
        for architecture in () if check else ARCHITECTURES:
            check_output_file(library / f"{architecture.name}.json", "the file", makes_folder=False)
    except OSError as error:
        sys.exit(f"vec_envs.dnn.build_library: {error}")
    for architecture in ARCHITECTURES:
        path, text = library / f"{architecture.name}.json", render(architecture)
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"these files differ from what the build writes: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


def _row(name: str, stage: Stage) -> dict[str, object]:
    """Returns the entry of one layer, with its work by every convention."""
    values = math.prod(stage.output_shape)
    layers = {
        workload: logical_layer(
            name, stage.operations, output_values=values, parameters=stage.parameters, workload=workload
        )
        for workload in WORKLOADS
    }
    layer = layers["mad2rl"]
    return {
        "name": name,
        "gflops": {workload: counted.gflops for workload, counted in layers.items()},
        "gmacs": layer.gmacs,
        "output_mbit": layer.output_mbit,
        "parameter_mbyte": layer.parameter_mbyte,
        "output_shape": stage.output_shape,
        "operations": [str(operation) for operation in stage.operations],
    }


if __name__ == "__main__":
    sys.exit(main())
