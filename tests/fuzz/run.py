"""Fuzzes the parsers of files that others write: `python -m tests.fuzz.run [PARSER ...] [--inputs 3000] [--seed 0]`.

Each input is a valid file after some mutations. Its parser may accept it, or raise a documented error. A parser fails
with any other exception, after `CPU_S` seconds of CPU time, and where it takes more than `MEMORY_BYTES` of memory. A
failing input is made smaller, and shown as the edits that give it. Equal seeds give equal inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import Edit
from tests.fuzz.parsers import PARSERS, Parser

CPU_S = 5.0
BLOCKED_S = 60.0
"""The wall-clock time after which a parser counts as blocked, for example by a pipe."""
MEMORY_BYTES = 500 * 2**20
EDITS = st.lists(st.tuples(*[st.integers(0, 2**16 - 1)] * 3), min_size=1, max_size=4)


class TooSlow(BaseException):
    """A parser exceeded its time. It is no `Exception`, so that no parser can catch it."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Limits the CPU time, the wall-clock time and the memory of the code inside."""

    def stop(*_: Any) -> None:
        raise TooSlow(f"took more than {CPU_S:g} s of CPU time, or was blocked for {BLOCKED_S:g} s")

    for signal_number in (signal.SIGVTALRM, signal.SIGALRM):
        signal.signal(signal_number, stop)
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES, unlimited[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
    signal.setitimer(signal.ITIMER_REAL, BLOCKED_S)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_REAL):
            signal.setitimer(timer, 0.0)
        resource.setrlimit(resource.RLIMIT_AS, unlimited)


def outcome_of(parser: Parser, data: bytes) -> str:
    """Returns the outcome, such as "accepted", or the name of the documented error that a parser raises."""
    with tempfile.TemporaryDirectory(prefix="vec-envs-") as folder:
        path = Path(folder) / _file_name(parser, data)
        path.write_bytes(data)
        try:
            with limited():
                return parser.parse(Path(folder)) or "accepted"
        except TooSlow as error:
            raise AssertionError(str(error)) from error
        except parser.refused as error:
            if len(str(error)) > 1000:
                raise AssertionError(f"the reason is no sentence: {str(error)[:200]}...") from error
            return type(error).__name__


def _file_name(parser: Parser, data: bytes) -> str:
    named = re.search(rb'"name": "([\w-]{1,200})"', data)
    return parser.file.replace("*", f"{named[1].decode() if named else 'x'}.json")


def fuzz(parser: Parser, inputs: int, start: int) -> Counter[str]:
    """Returns how often the parser accepted its input, and how often it raised which documented error."""
    seeds, outcomes = parser.seeds(), Counter[str]()
    for content in seeds:  # also imports what is imported late, before the memory is limited
        data = parser.mutate(content, ()) if parser.name != "lines" else parser.mutate(content, [(0, 0, 0)])
        if parser.name != "lines" and outcome_of(parser, data) != "accepted":
            raise AssertionError(f"{parser.name}: a valid file is refused")

    @seed(start)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(st.integers(0, len(seeds) - 1), EDITS)
    def check(which: int, edits: list[Edit]) -> None:
        outcomes[outcome_of(parser, parser.mutate(seeds[which], edits))] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of damaged numbers before a parser refuses them
        check()
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzzes the parsers of the command line, and returns the number of those that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Fuzzes the parsers of files.")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=f"some of {', '.join(PARSERS)} (default: all)")
    parser.add_argument("--inputs", type=int, default=3000, help="inputs for each parser (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the inputs (default: %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parsers) - set(PARSERS)):
        parser.error(f"PARSER must be one of {', '.join(PARSERS)}, got {', '.join(unknown)}")
    failed = 0
    for name in options.parsers or PARSERS:
        try:
            outcomes = fuzz(PARSERS[name], options.inputs, options.seed)
            print(f"{name}: {', '.join(f'{count} {what}' for what, count in sorted(outcomes.items()))}", flush=True)
        except Exception:
            failed += 1
            print(f"{name}: FAILED", flush=True)
            traceback.print_exc()
    return failed


if __name__ == "__main__":
    sys.exit(main())
