"""Lists, shows and makes profiles of networks: `python -m vec_envs.dnn list | show NAME|FILE | profile SOURCE`.

    python -m vec_envs.dnn list
    python -m vec_envs.dnn show my_net.json --plot my_net.svg
    python -m vec_envs.dnn profile my_module:MyNet --input 1,3,224,224 -o my_net.json
    python -m vec_envs.dnn profile torchvision.models:resnet18 --input 1,3,224,224 -o resnet18.json
    python -m vec_envs.dnn profile timm:create_model --argument mobilenetv3_small_100 --input 1,3,224,224 -o small.json
    python -m vec_envs.dnn profile my_module:UNet --input 1,3,256,256 --max-tensors 4 --activation-bits 8 -o unet.json
    python -m vec_envs.dnn profile my_net.onnx -o my_net.json
    python -m vec_envs.dnn profile vgg16 --times my_measurements.csv -o vgg16-measured.json
    python -m vec_envs.dnn profile vgg16 --exit 10:0.62 --exit 21:0.72 -o vgg16-exits.json

A file that `profile` writes holds the work of the layers by every convention, so it fits every environment:
`--env.dnns my_net.json vgg16`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from vec_envs.command_parser import CommandParser
from vec_envs.dnn.choices import as_profiles
from vec_envs.dnn.documents import checked_document, merged
from vec_envs.dnn.exits import exits_of
from vec_envs.dnn.profile import DNNProfile, rendered
from vec_envs.dnn.sources import argument_of, example_inputs, made_by_factory
from vec_envs.dnn.workload import WORKLOADS
from vec_envs.files import check_output_file

MADE_BY = "python -m vec_envs.dnn profile"
_TRACING = ("max_tensors", "activation_bits", "residents")
"""Options of `profile` that are arguments of `DNNProfile.from_torch`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Does what the command line says; exits with a message where that is not possible."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.do(options)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"vec_envs.dnn: {error}")


def _parser() -> CommandParser:
    description, _, examples = (__doc__ or "").partition("\n\n")
    parser = CommandParser(
        prog="python -m vec_envs.dnn",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="list|show|profile")
    workload = CommandParser(add_help=False)
    workload.add_argument("--workload", default="mad2rl", choices=tuple(WORKLOADS), help="how Gflop are counted")
    listing = commands.add_parser("list", parents=[workload], help="list the networks of the library")
    listing.set_defaults(do=_list)
    show = commands.add_parser("show", parents=[workload], help="show the layers of a network")
    show.add_argument("dnn", metavar="NAME|FILE", help="a name of the library, or the file of a profile")
    show.add_argument("--plot", type=Path, metavar="FILE", help="draw the layers to a file, such as net.svg or net.png")
    show.set_defaults(do=_show)
    profile = commands.add_parser("profile", help="write the profile of a torch module or an ONNX file, or add times")
    profile.add_argument("source", metavar="SOURCE", help="package.module:factory, FILE.onnx, FILE.json or NAME")
    profile.add_argument(
        *("--input", "-i"),
        action="append",
        default=[],
        metavar="SHAPE[:TYPE]",
        help="shape of an input with a batch axis of 1, such as 1,3,224,224 or 1,128:int64; repeat it for more inputs",
    )
    profile.add_argument(
        *("--argument", "-a"),
        action="append",
        default=[],
        metavar="[NAME=]VALUE",
        help="argument of the factory, a Python literal or text, or the size of a symbolic axis of an ONNX file "
        "(height=224); repeat it for more",
    )
    _add_tracing(profile)
    profile.add_argument(
        *("--times", "-t"),
        action="append",
        default=[],
        metavar="CSV",
        help="measured times, with the columns layer, device and seconds, or the word library; repeat it for more",
    )
    profile.add_argument(
        "--exit",
        action="append",
        default=[],
        metavar="CUT:ACCURACY",
        help="early exit after a layer, by its number in `show`, and its accuracy from 0 to 1, such as 4:0.71; "
        "repeat it for more. Environments do not use exits yet",
    )
    profile.add_argument("--name", help="name of the network (default: that of the output file, or its own)")
    profile.add_argument("--output", "-o", type=Path, required=True, metavar="FILE", help="file to write, my_net.json")
    profile.set_defaults(do=_profile)
    return parser


def _add_tracing(profile: CommandParser) -> None:
    """Adds the options of `DNNProfile.from_torch`. They are None where they are not given."""
    profile.add_argument(
        "--max-tensors",
        type=int,
        metavar="N",
        help="largest number of tensors that a cut may send (default: 1); more give cuts inside skip connections",
    )
    profile.add_argument(
        "--activation-bits",
        type=int,
        metavar="BITS",
        help="bits in which a floating-point number is sent: 8, 16 or 32 (default: those of its type)",
    )
    profile.add_argument(
        "--residents",
        nargs="+",
        type=lambda text: int(text) if text.isdecimal() else text,
        metavar="NAME|POSITION",
        help="what is never sent, such as caches: names of arguments of forward and of entries of its output, "
        "or positions in its output (default: past_key_values cache)",
    )


def _list(options: argparse.Namespace) -> None:
    rows = [_summary(DNNProfile.load(name, options.workload)) for name in DNNProfile.library()]
    _print_table(("name", "layers", "Gflop", "GMAC", "parameters MB", "input Mbit", "smallest cut Mbit"), rows)


def _show(options: argparse.Namespace) -> None:
    if options.plot is not None:
        check_output_file(options.plot, "--plot", makes_folder=False)
    (profile,) = as_profiles((options.dnn,), workload=options.workload)
    if options.plot is not None:  # a missing extra is known before the table is printed
        from vec_envs.dnn.plot import write_plot

        write_plot(profile, options.plot)
    accuracy = {early.after_layer: _shown(early.accuracy) for early in profile.exits}
    rows: list[tuple[str, ...]] = [
        ("0", "(input)", "", "", "", _shown(profile.input_mbit), *("" for _ in (*profile.measured, *profile.exits[:1])))
    ]
    for index, layer in enumerate(profile.layers):
        numbers = (layer.gflops, layer.gmacs, layer.parameter_mbyte, layer.output_mbit)
        times = (1e3 * measured.layer_s[index] for measured in profile.measured)
        exits = (accuracy.get(index + 1, ""),) if accuracy else ()
        rows.append((str(index + 1), layer.name, *map(_shown, (*numbers, *times)), *exits))
    more = (*(f"ms on {measured.device}" for measured in profile.measured), *(("exit accuracy",) if accuracy else ()))
    _print_table(("cut", "after layer", "Gflop", "GMAC", "parameters MB", "output Mbit", *more), rows)
    name, layers, gflops, gmacs, parameters, *_ = _summary(profile)
    counted = f" by {profile.workload!r}" if profile.workload else ""
    print(f"{name}: {layers} layers, {gflops} Gflop{counted}, {gmacs} GMAC, {parameters} MB of parameters")
    if options.plot is not None:
        print(f"drawn to {options.plot}")


def _profile(options: argparse.Namespace) -> None:
    check_output_file(options.output, makes_folder=False)
    counted = _source(options)
    profiles = {workload: counted(workload=workload) for workload in WORKLOADS}
    for table in options.times:
        path = None if table == "library" else table
        profiles = {workload: profile.with_times(path) for workload, profile in profiles.items()}
    if options.name:
        profiles = {workload: replace(profile, name=options.name) for workload, profile in profiles.items()}
    if options.exit:
        exits = exits_of(options.exit)
        profiles = {workload: replace(profile, exits=exits) for workload, profile in profiles.items()}
    document = checked_document(merged({workload: asdict(profile) for workload, profile in profiles.items()}))
    options.output.write_text(rendered({**document, "made_by": MADE_BY}), encoding="utf-8")
    _, layers, gflops, gmacs, *_ = _summary(profiles["mad2rl"])
    print(f"written to {options.output}: {layers} layers, {gflops} Gflop by 'mad2rl', {gmacs} GMAC")


def _source(options: argparse.Namespace) -> Callable[..., DNNProfile]:
    """Returns a function that profiles the source of the command line by a convention, `workload=`."""
    source: str = options.source
    given = {name: getattr(options, name) for name in _TRACING if getattr(options, name) is not None}
    if given and ":" not in source:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"{named} can be given for a torch module (package.module:factory) only, got {source!r}")
    if Path(source).suffix == ".onnx":
        if options.input:
            raise ValueError("an ONNX file has its own inputs: leave out --input")
        sizes = dict(map(argument_of, options.argument))
        return partial(DNNProfile.from_onnx, source, name=options.output.stem, sizes=sizes)
    if ":" not in source:
        return partial(_known, source)
    module, inputs = made_by_factory(source, options.argument), example_inputs(options.input)
    return partial(DNNProfile.from_torch, module, inputs, name=options.output.stem, **given)


def _known(dnn: str, *, workload: str) -> DNNProfile:
    (profile,) = as_profiles((dnn,), workload=workload)
    return profile


def _summary(profile: DNNProfile) -> tuple[str, ...]:
    numbers = profile.local_gflops[-1], profile.local_gmacs[-1], profile.local_parameter_mbyte[-1], profile.input_mbit
    smallest = profile.cut_mbit[:-1].min()
    return profile.name, str(profile.num_layers), *(_shown(float(number)) for number in (*numbers, smallest))


def _shown(number: float) -> str:
    return f"{number:.4g}"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows in columns: text to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    text = {index for index, name in enumerate(head) if name in ("name", "after layer")}
    for row in (head, *rows):
        cells = (c.ljust(w) if i in text else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    main()
