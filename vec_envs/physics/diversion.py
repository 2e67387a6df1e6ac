"""The choice between two roadside units: the longer the predicted wait at one unit, the more probable is the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Pairs = Float[np.ndarray, "*batch 2"]


def predicted_wait_s(largest_mbit: Float[np.ndarray, "*batch"], rate_mbps: Pairs, wait_s: Pairs) -> Pairs:
    """Returns the predicted wait in s at each unit: the time to send the DNN's largest tensor plus the queueing wait.

    The wait is `inf` where the rate is 0, that is, where the unit is out of range.

    Paper: RTD Eq. (23).
    Differs: the raw input counts among the tensors, since a task may be sent whole.
    """
    sending = np.full(rate_mbps.shape, np.inf)
    return np.divide(largest_mbit[..., None], rate_mbps, out=sending, where=rate_mbps > 0.0) + wait_s


def request_probabilities(predicted_s: Pairs) -> Pairs:
    """Returns the probability of a request to each unit: the other unit's wait, divided by the sum of both.

    A wait of `inf` means that the unit is out of range. The request then goes to the unit in range; both probabilities
    are 0 if neither is in range. Two waits of 0 give equal probabilities.

    Raises `ValueError` for a wait that is negative or NaN.

    Paper: RTD Eq. (24).
    """
    if predicted_s.shape[-1:] != (2,):
        raise ValueError(f"predicted waits must have shape [*batch, 2], one for each unit, got {predicted_s.shape}")
    if not np.greater_equal(predicted_s, 0.0).all():
        raise ValueError(f"predicted waits must be at least 0 (inf for out of range), got {predicted_s}")
    in_range = np.isfinite(predicted_s)
    finite = np.where(in_range, predicted_s, 0.0)
    total = finite.sum(axis=-1, keepdims=True)
    shares = np.divide(finite[..., ::-1], total, out=np.full(finite.shape, 0.5), where=total > 0.0)
    both = in_range.all(axis=-1, keepdims=True)
    return np.where(both, shares, in_range.astype(np.float64))
