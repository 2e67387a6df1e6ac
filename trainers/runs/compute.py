"""What torch is told of the machine, once a process."""

from __future__ import annotations

import ctypes

KEPT_BYTES = 1 << 30
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""By glibc's malloc.h."""


def set_up_torch(threads: int) -> None:
    """Tells torch its number of threads, 0 to leave it to torch; and the allocator to keep freed memory.

    A gradient step allocates weights' gradients of megabytes anew. glibc gives such blocks back and asks the system
    for pages again, which took a tenth of a step; nothing else changes. Other allocators are left as they are.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
