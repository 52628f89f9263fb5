"""Quality: what evaluators found with the grid, over all and advisor by advisor."""

from functools import partial

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.i18n import N_
from qa_core.metrics.kpis.declaration import (
    ALL_DIMENSIONS,
    WHOLE_EVALUATION_DIMENSIONS,
    Contribution,
    Exclusion,
    FactTable,
    Kpi,
    KpiKind,
    Unit,
)
from qa_core.metrics.kpis.exclusions import exclude
from qa_core.metrics.kpis.rows import ADVISOR_MEANS, EVALUATED, EVERY, word

_e = EVALUATED.c
_m = ADVISOR_MEANS.c
_declare = partial(
    Kpi,
    needs=Permission.SEE_SCORES,
    dimensions=ALL_DIMENSIONS,
    subject=FactTable.EVALUATION_ANSWERS,
)

ALIGNMENT = "alignment"
CALIBRATION_DIMENSIONS = ("day", "week", "month", "weekday", "criterion", "section", "grid")
"""Days are contact days, as everywhere."""
_calibrate = partial(
    Kpi, better="up", parts=None, needs=Permission.SEE_CALIBRATIONS, subject=FactTable.CALIBRATED
)


def _critical_accuracy(name: str, title: str, meaning: str) -> Kpi:
    has_error = _e[f"failed_{name}"]
    formula = N_(
        "evaluations without a critical error of the class / evaluations where a criterion of "
        "the class applies"
    )
    parts = Contribution(denominator=has_error.is_not(None), hits=sa.not_(has_error))
    outside = exclude(
        "not_applicable",
        N_("Evaluations where no criterion of the class applies"),
        has_error.is_(None),
    )
    return _declare(
        f"critical_accuracy_{name}",
        title,
        meaning,
        formula,
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: parts,
        exclusions=(outside,),
    )


ALL: tuple[Kpi, ...] = (
    _declare(
        "evaluation_score",
        N_("Evaluation score"),
        N_("The mean score that evaluators gave, from 0 to 100; each evaluation counts once."),
        N_("Σ score / evaluations with a score"),
        KpiKind.MEAN,
        Unit.SCORE,
        "up",
        lambda inputs: Contribution(denominator=_e.score.is_not(None), amount=_e.score),
        exclusions=(exclude("no_score", N_("Evaluations without a score"), _e.score.is_(None)),),
        heading=N_("Score"),
    ),
    _declare(
        "advisor_mean_score",
        N_("Evaluation score, mean of advisors"),
        N_("The mean of the advisors' mean scores, from 0 to 100; each advisor counts once."),
        N_("Σ mean score of each advisor / advisors with a score"),
        KpiKind.MEAN,
        Unit.SCORE,
        "up",
        lambda inputs: Contribution(denominator=_m.score.is_not(None), amount=_m.score),
        subject=FactTable.ADVISORS,
        dimensions=tuple(key for key in ALL_DIMENSIONS if key != "advisor"),
        exclusions=(exclude("no_score", N_("Advisors without a score"), _m.score.is_(None)),),
    ),
    _declare(
        "evaluations",
        N_("Evaluations"),
        N_("How many evaluations were published."),
        N_("published evaluations"),
        KpiKind.TOTAL,
        Unit.COUNT,
        "neither",
        lambda inputs: Contribution(denominator=EVERY, hits=EVERY),
    ),
    _declare(
        "evaluation_pass_rate",
        N_("Evaluations passed"),
        N_("The share of evaluations that reached the pass mark without a critical error."),
        N_("passed / evaluations with an outcome"),
        KpiKind.RATIO,
        Unit.RATE,
        "up",
        lambda inputs: Contribution(
            denominator=_e.outcome.is_not(None), hits=_e.outcome == word("pass")
        ),
        dimensions=WHOLE_EVALUATION_DIMENSIONS,
        exclusions=(
            exclude(
                "no_outcome", N_("Evaluations that neither passed nor failed"), _e.outcome.is_(None)
            ),
        ),
    ),
    _critical_accuracy(
        "customer",
        N_("Free of critical errors for the customer"),
        N_("The share of evaluations without an error that harms the customer."),
    ),
    _critical_accuracy(
        "business",
        N_("Free of critical errors for the business"),
        N_("The share of evaluations without an error that harms the business."),
    ),
    _critical_accuracy(
        "compliance",
        N_("Free of critical compliance errors"),
        N_("The share of evaluations without a breach of the law or of a rule."),
    ),
    _calibrate(
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
        dimensions=(*CALIBRATION_DIMENSIONS, "evaluator"),
        exclusions=(
            Exclusion(
                "apart", N_("One evaluator gave points, the other said not applicable"), None
            ),
            Exclusion("not_applicable", N_("Both said not applicable"), None),
        ),
    ),
    _calibrate(
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
        dimensions=CALIBRATION_DIMENSIONS,
        exclusions=(Exclusion("marked_once", N_("Fewer than two evaluators gave points"), None),),
    ),
)
