"""Measures the library's networks on a core of this machine: `python -m tests.dnn.measure_library DEVICE`.

It writes `vec_envs/dnn/times/*.csv`. Times are CPU times of one thread, so that other programs on the machine do not
count.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch

import vec_envs.dnn
from tests.dnn.test_torch_networks import NETWORKS
from vec_envs.dnn import DNNProfile, latency

FOLDER = Path(vec_envs.dnn.__file__).parent / "times"


def main() -> None:
    """Writes a table for each network."""
    torch.set_num_threads(1)
    for name, build in NETWORKS.items():
        image = torch.zeros(1, 3, *(2 * [416 if name == "tinyyolov2" else 224]))
        module = build().eval()
        with torch.no_grad():
            module(image)  # sizes the lazy layers
        profile = DNNProfile.load(name)
        with patch.object(latency, "time", SimpleNamespace(perf_counter=time.thread_time)):
            times = latency.measure_latency(module, image, profile=profile, repeats=9)
        with (FOLDER / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["layer", "device", "seconds"])
            for layer, seconds in zip(profile.layers, times.layer_s, strict=True):
                writer.writerow([layer.name, sys.argv[1], f"{seconds:.4g}"])
        print(name, f"{sum(times.layer_s):.3f} s", flush=True)


if __name__ == "__main__":
    main()
