# SPDX-License-Identifier: Apache-2.0
"""Errors from a network's outputs, float or int8, without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def classification_error(
    outputs: NDArray[Any], labels: NDArray[Any], *, boundary: float = 0.0
) -> float:
    """Share of samples that are classified wrongly, 0..1.

    Args:
        outputs: (n, classes) logits, or (n, 1) for two classes. Quantised ones will do as they are:
            their order is that of the logits. Of equal ones the first counts.
        labels: (n,) class numbers.
        boundary: With one logit, class 1 is what lies above: 0, or an int8 model's zero point.
    """
    outputs = outputs.reshape(len(labels), -1)
    if outputs.shape[1] == 1:
        guesses = (outputs[:, 0].astype(np.float64) > boundary).astype(np.int64)
    else:
        guesses = outputs.argmax(1)
    return float(np.mean(guesses != labels))
