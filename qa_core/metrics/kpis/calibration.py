"""Calibration: how alike evaluators mark the same contacts, from closed sessions."""

from __future__ import annotations

from functools import partial

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import Exclusion, FactTable, Kpi, KpiKind, Unit

ALIGNMENT = "alignment"
DIMENSIONS = ("day", "week", "month", "weekday", "criterion", "section", "grid")
"""The days are those of the contacts, as everywhere."""
_declare = partial(
    Kpi, better="up", parts=None, needs=Permission.SEE_CALIBRATIONS, subject=FactTable.CALIBRATED
)

ALL: tuple[Kpi, ...] = (
    _declare(
        ALIGNMENT,
        N_("Alignment"),
        N_(
            "How alike evaluators mark the same contacts blind, in closed calibrations: the "
            "points given alike, of the points possible. Each is held against "
            "the reference of the contact, else all against each other; equal totals that hide "
            "opposite answers do not count as alike."
        ),
        N_(
            "Σ (points of the criterion − difference) / Σ points of the criterion, over pairs "
            "of marks"
        ),
        KpiKind.RATIO,
        Unit.RATE,
        dimensions=(*DIMENSIONS, "evaluator"),
        exclusions=(
            Exclusion(
                "apart", N_("One evaluator gave points, the other said not applicable"), None
            ),
            Exclusion("not_applicable", N_("Both said not applicable"), None),
        ),
    ),
    _declare(
        "agreement",
        N_("Agreement"),
        N_(
            "How far evaluators agree on one criterion beyond chance, on the contacts of "
            "closed calibrations: 1 is full agreement, 0 that of chance. Where all "
            "marks are the same it is undefined. It is of each criterion alone: choose one, or "
            "cut by criterion; several together have none."
        ),
        N_(
            "Krippendorff's α (ordinal; nominal of two answers, where both are the same) = 1 − "
            "observed / expected disagreement; interval from 500 "
            "resamples of the contacts"
        ),
        KpiKind.STATISTIC,
        Unit.COEFFICIENT,
        dimensions=DIMENSIONS,
        exclusions=(Exclusion("marked_once", N_("Fewer than two evaluators gave points"), None),),
    ),
)
