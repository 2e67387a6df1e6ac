"""Set-up of torch for this machine: threads, memory allocator and device."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

KEPT_BYTES = 1 << 30
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of the options in glibc's malloc.h."""


def set_up_torch(threads: int) -> None:
    """Sets torch's number of threads (0 leaves the choice to torch), and lets the allocator keep freed memory.

    A gradient step allocates megabytes for gradients. By default glibc returns blocks of that size to the system and
    asks for new pages at the next step, which took a tenth of a step. Results do not change. Other allocators than
    glibc's are left as they are.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def device_of(name: str) -> torch.device:
    """Returns the device of that name; "auto" is CUDA where available. Raises `ValueError` where it cannot be used."""
    import torch

    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={name!r} cannot be used: {error}") from error
    return device
