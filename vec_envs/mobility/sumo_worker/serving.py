"""The loop of a worker: reads requests and writes windows until the input ends."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import BinaryIO, NoReturn

from .simulators import ProgramKilled, WorkerError, die_with_parent
from .versions import version
from .windows import Server, Tape


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers each request. The first line of the input holds the settings."""
    server = Server(json.loads(requests.readline()))

    def stop(*_: object) -> NoReturn:
        server.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        for line in requests:
            request = json.loads(line)
            index = request.pop("index")
            window = server.window(Tape(**request), index)
            answers.write(json.dumps(window.head()).encode() + b"\n" + window.numbers())
            answers.flush()
    finally:
        server.close()


def main() -> None:
    """Serves requests until the standard input ends; with `version BACKEND`, writes the version of SUMO instead."""
    parent = int(sys.argv[1])
    # No code here makes reference cycles, and the search for them costs a twentieth of the simulation.
    gc.disable()
    # libsumo imports numpy, whose threads would compete with other workers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # These make `import traci` return libsumo or libtraci, which have another interface.
    for name in ("LIBSUMO_AS_TRACI", "LIBTRACI_AS_TRACI"):
        os.environ.pop(name, None)
    if sys.platform == "linux":
        die_with_parent()
        if os.getppid() != parent:
            return
    # SUMO and traci print to the standard output. Redirect it to the standard error, and keep a copy for the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        if sys.argv[2:3] == ["version"]:
            answers.write(version(sys.argv[3]).encode() + b"\n")
            answers.flush()
        else:
            _serve(sys.stdin.buffer, answers)
    except WorkerError as error:
        answers.write(json.dumps({"error": str(error)}).encode() + b"\n")
        answers.flush()
    except ProgramKilled as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(128 + error.signal)  # as shells report it
    # Skip the ordinary exit, where libsumo's own clean-up may fail.
    os._exit(0)
