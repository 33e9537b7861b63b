# SPDX-License-Identifier: Apache-2.0
"""The figures of a calibration in numbers: errors of each model, and wrong decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from unas.cost.metrics import regression_metrics
from unas.report.calibration.coverage import held_out, models_shown
from unas.report.calibration.decisions import decide, limits_of
from unas.report.calibration.operator_errors import operator_errors
from unas.report.style import provenance
from unas.store.calibration import Calibration


def summary_of(calibration: Calibration, limit_us: float | None = None) -> dict[str, Any]:
    """Errors and decisions of all models, as JSON types.

    Args:
        calibration: The calibration.
        limit_us: Latency limit of the decisions; None: the median of the held-out networks.

    Returns:
        ``provenance``, ``limit_us``, ``models`` by name (MAPE, within ±10 %, worst, R², rank
        correlations, wrong decisions at the limit and, as a mean over all limits, in percent of
        the networks), ``operators``: a list by family.

    Raises:
        StoreError: There are no held-out predictions.
    """
    shown = models_shown(calibration)
    first = held_out(calibration, shown[0] if shown else "mac-line")
    limit = float(np.median(first.actual_us)) if limit_us is None else limit_us
    models: dict[str, Any] = {}
    for name in shown:
        table = held_out(calibration, name)
        fit = regression_metrics(table.predicted_us, table.actual_us)
        made = decide(table, limit)
        everywhere = [decide(table, float(one)) for one in limits_of(table)]
        wrong = [one.wrongly_accepted + one.wrongly_rejected for one in everywhere]
        models[name] = {
            "networks": fit.n,
            "mape_percent": fit.mape_percent,
            "within_10_percent": fit.within_10_percent,
            "worst_percent": 100.0 * float(np.abs(table.error).max()),
            "r2": fit.r2,
            "spearman": fit.spearman,
            "kendall": fit.kendall,
            "feasible": made.feasible,
            "wrongly_accepted": made.wrongly_accepted,
            "wrongly_rejected": made.wrongly_rejected,
            "wrong_decisions_percent": 100.0 * float(np.mean(wrong)) / fit.n,
        }
    return {
        "provenance": provenance(calibration),
        "default": calibration.models.chosen,
        "limit_us": limit,
        "models": models,
        "operators": _operators(calibration),
    }


def _operators(calibration: Calibration) -> list[dict[str, Any]]:
    if calibration.operators.empty:
        return []
    rows = operator_errors(calibration).to_dict(orient="records")
    return [{str(key): value for key, value in row.items()} for row in rows]
