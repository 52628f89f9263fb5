"""Calibration: agreement of evaluators on the same contacts, from closed sessions."""

from functools import partial

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import Exclusion, FactTable, Kpi, KpiKind, Unit

ALIGNMENT = "alignment"
DIMENSIONS = ("day", "week", "month", "weekday", "criterion", "section", "grid")
"""Days are contact days, as everywhere."""
_declare = partial(
    Kpi, better="up", parts=None, needs=Permission.SEE_CALIBRATIONS, subject=FactTable.CALIBRATED
)

ALL: tuple[Kpi, ...] = (
    _declare(
        ALIGNMENT,
        N_("Alignment"),
        N_(
            "How closely evaluators score the same contacts blind, in closed calibration "
            "sessions: points in common, of points possible. Each is compared with the reference "
            "of the contact, or else with every other evaluator. Criteria are compared one by "
            "one: equal totals with opposite answers do not count as aligned."
        ),
        N_(
            "Σ (points of the criterion − difference) / Σ points of the criterion, over pairs of "
            "scores"
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
            "How far evaluators agree on one criterion, in closed calibration sessions: 1 is full "
            "agreement, 0 is what chance gives. It is undefined where all scores are the same. "
            "Choose one criterion, or break down by criterion; several together have no agreement."
        ),
        N_(
            "Krippendorff's α (ordinal; with two answers the same as nominal) = 1 − observed / "
            "expected disagreement; interval: 500 resamples of contacts"
        ),
        KpiKind.STATISTIC,
        Unit.COEFFICIENT,
        dimensions=DIMENSIONS,
        exclusions=(Exclusion("marked_once", N_("Fewer than two evaluators gave points"), None),),
    ),
)
