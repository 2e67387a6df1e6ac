"""Which of two roadside units a vehicle asks: the longer it expects to wait at one, the likelier the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Pairs = Float[np.ndarray, "*batch 2"]


def predicted_wait_s(largest_mbit: Float[np.ndarray, "*batch"], rate_mbps: Pairs, wait_s: Pairs) -> Pairs:
    """Returns the waits in s a vehicle predicts: to send its DNN's largest tensor, and for the unit's queue.

    `inf` where the rate is 0: out of range.

    Paper: RTD Eq. (23).
    Differs: the raw input counts among the tensors, since a task may be sent whole.
    """
    sending = np.full(rate_mbps.shape, np.inf)
    return np.divide(largest_mbit[..., None], rate_mbps, out=sending, where=rate_mbps > 0.0) + wait_s


def request_probabilities(predicted_s: Pairs) -> Pairs:
    """Returns the probabilities of asking either unit; the other one's share of both waits.

    `inf` stands for a unit out of range: the one in range gets the request, and both are 0 where there is none. Two
    waits of 0 are even. Raises `ValueError` for a wait that is negative or no number.

    Paper: RTD Eq. (24).
    """
    if predicted_s.shape[-1:] != (2,):
        raise ValueError(f"waits at two units are needed along the last axis, got shape {predicted_s.shape}")
    if not np.greater_equal(predicted_s, 0.0).all():
        raise ValueError(f"predicted waits must be at least 0 (inf: out of range), got {predicted_s}")
    heard = np.isfinite(predicted_s)
    finite = np.where(heard, predicted_s, 0.0)
    total = finite.sum(axis=-1, keepdims=True)
    shares = np.divide(finite[..., ::-1], total, out=np.full(finite.shape, 0.5), where=total > 0.0)
    both = heard.all(axis=-1, keepdims=True)
    return np.where(both, shares, heard.astype(np.float64))
