# SPDX-License-Identifier: Apache-2.0
"""Regression metrics of predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegressionMetrics:
    """Predictions against actual values.

    Attributes:
        n: Number of points.
        r2: Coefficient of determination, 1 - SS_res / SS_tot.
        mape_percent: Mean of |predicted - actual| / actual, in percent.
        within_10_percent: Share of points predicted within 10 % of the actual value, in percent.
        spearman: Rank correlation (Spearman's rho).
        kendall: Rank correlation (Kendall's tau-b).
    """

    n: int
    r2: float
    mape_percent: float
    within_10_percent: float
    spearman: float
    kendall: float


def regression_metrics(predicted: Vector, actual: Vector) -> RegressionMetrics:
    """Compare predictions with actual values; both of shape (n,), actual values above zero."""
    relative = np.abs(predicted - actual) / actual
    residual = float(((actual - predicted) ** 2).sum())
    total = float(((actual - actual.mean()) ** 2).sum())
    return RegressionMetrics(
        n=len(actual),
        r2=1.0 - residual / total,
        mape_percent=float(relative.mean() * 100),
        within_10_percent=float((relative <= 0.10).mean() * 100),
        spearman=float(scipy.stats.spearmanr(predicted, actual).statistic),
        kendall=float(scipy.stats.kendalltau(predicted, actual).statistic),
    )
