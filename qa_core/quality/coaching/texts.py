"""Texts on coaching: needs, state of plans, effects with their uncertainty."""

from qa_core.analysis import chart_titles
from qa_core.base import environment
from qa_core.base.i18n import N_, NN_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.quality.coaching.effect import (
    DETECTABLE_CHANGE,
    MIN_EVALUATIONS,
    CoachingEffect,
    Estimate,
)
from qa_core.quality.coaching.gaps import ClearRise, CriterionGap
from qa_core.quality.coaching.needs import CoachingWeek, Need, NeedKind, NeedReason
from qa_core.quality.coaching.plans import CoachingPlanView, CoachingState

STATES = {
    CoachingState.OPEN: N_("Under way"),
    CoachingState.REACHED: N_("Goal reached"),
    CoachingState.STOPPED: N_("Stopped"),
}


REASONS = {
    NeedKind.OVERDUE: NN_("Coaching is overdue by {n} day", "Coaching is overdue by {n} days"),
    NeedKind.UNHEARD: NN_("Not evaluated for {n} week", "Not evaluated for {n} weeks"),
    NeedKind.UNREAD: NN_(
        "{n} evaluation not acknowledged for more than a week",
        "{n} evaluations not acknowledged for more than a week",
    ),
    NeedKind.DISPUTED: NN_(
        "{n} disputed criterion waits for the manager's decision",
        "{n} disputed criteria wait for the manager's decision",
    ),
    NeedKind.TURNED_DOWN: NN_(
        "{n} dispute was turned down in the last four weeks: talk it over",
        "{n} disputes were turned down in the last four weeks: talk them over",
    ),
}
"""Words for a need with its number; others are about a gap."""


def describe_reason(reason: NeedReason, texts: ScorecardTexts) -> str:
    """Describe one need, or one strength."""
    if reason.kind == NeedKind.PLANNED:
        return _describe_planned(reason)
    if reason.rise is not None:
        return _describe_rise(reason.rise)
    if reason.kind == NeedKind.ABOVE:
        return _describe_lead(reason.gap, texts)
    if reason.kind not in REASONS:
        return _describe_gap(reason, texts)
    if reason.kind == NeedKind.UNHEARD and not reason.n:
        return _("Never evaluated") if reason.n is None else _("Evaluated in the last week")
    return ngettext(*REASONS[reason.kind], reason.n or 0)


def _describe_planned(reason: NeedReason) -> str:
    said = ngettext(
        "{done} of {n} planned contact evaluated",
        "{done} of {n} planned contacts evaluated",
        reason.planned,
        done=reason.n,
    )
    if reason.due_on is None:
        return said
    return _("{said}, due {day}", said=said, day=formatting.day(reason.due_on))


def _describe_rise(rise: ClearRise) -> str:
    return _(
        "Score: {points} in 13 weeks, from {before} (n = {n_before}) to {now} (n = {n}); "
        "interval {low} to {high}",
        points=describe_points(rise.now.mean - rise.before.mean),
        before=formatting.number(rise.before.mean),
        n_before=rise.before.n,
        now=formatting.number(rise.now.mean),
        n=rise.now.n,
        **_format_limits(rise),
    )


def _describe_lead(gap: CriterionGap, texts: ScorecardTexts) -> str:
    part = gap.criterion
    return _(
        "{what}: about {points} points above the team ({mean} against {others} of 100, n = {n}; "
        "interval {low} to {high})",
        what=_("Score") if part is None else _("“{name}”", name=texts.name("criterion", part)),
        points=formatting.number(gap.shrunk_difference),
        mean=formatting.number(gap.mean),
        others=formatting.number(gap.others),
        n=gap.n,
        **_format_limits(gap),
    )


def _describe_gap(reason: NeedReason, texts: ScorecardTexts) -> str:
    gap = reason.gap
    points, part = formatting.number(-gap.shrunk_difference), gap.criterion
    sentence = (
        _("Score: about {points} points below the rest of the team", points=points)
        if part is None
        else _(
            "“{name}”: about {points} points below the rest of the team",
            name=texts.name("criterion", part),
            points=points,
        )
    )
    numbers = ngettext(
        "{mean} against {others} of 100, {n} evaluation, 95 % interval {least} to {most} below",
        "{mean} against {others} of 100, {n} evaluations, 95 % interval {least} to {most} below",
        gap.n,
        mean=formatting.number(gap.mean),
        others=formatting.number(gap.others),
        least=formatting.number(-gap.high),
        most=formatting.number(-gap.low),
    )
    sentence = _("{said} ({numbers})", said=sentence, numbers=numbers)
    if part is None and reason.criteria:
        named = formatting.listing(
            _("“{name}”", name=texts.name("criterion", key)) for key in reason.criteria
        )
        sentence = _(
            "{said}. No single criterion differs clearly; lowest: {criteria}",
            said=sentence,
            criteria=named,
        )
    if reason.plan_id is None:
        return sentence
    return _("{said}. Coaching on it is under way", said=sentence)


def describe_week(week: CoachingWeek) -> str:
    """Describe the basis of the list."""
    if not week.advisors:
        return _("You lead no advisor today.")
    looked = ngettext("{n} advisor reviewed.", "{n} advisors reviewed.", week.advisors)
    if not week.compared:
        return looked + " " + _("Too few evaluations in the last 26 weeks to compare scores.")
    return (
        looked
        + " "
        + ngettext(
            "Scores of the last 26 weeks: {compared} advisors, {n} comparison.",
            "Scores of the last 26 weeks: {compared} advisors, {n} comparisons. Intervals allow "
            "for all of them.",
            week.comparisons,
            compared=week.compared,
        )
        + " "
        + _(
            "Scores are listed only where the difference is statistically clear. This is not a "
            "ranking."
        )
    )


def suggest_goal(need: Need, texts: ScorecardTexts) -> str:
    """Suggest the goal of a new plan, for the lead to rewrite."""
    named = formatting.listing(texts.name("criterion", key) for key in need.criteria)
    return _("Work on: {criteria}", criteria=named) if need.criteria else ""


def describe_state(plan: CoachingPlanView) -> str:
    """Describe whether a plan is open, ended or overdue, and when."""
    if plan.ended_on is not None:
        return _(
            "{state} on {day}",
            state=_(STATES[plan.state]),
            day=formatting.day(plan.ended_on, year=True),
        )
    if plan.is_overdue:
        return ngettext(
            "Overdue by {n} day", "Overdue by {n} days", (environment.today() - plan.due_on).days
        )
    if plan.due_on is not None:
        return _("Under way, due {day}", day=formatting.day(plan.due_on, year=True))
    return _("Under way")


def describe_progress(plan: CoachingPlanView) -> str:
    """Describe the sessions held and their duration."""
    if not plan.sessions:
        return _("No session yet")
    return ngettext(
        "{n} session, {minutes} min",
        "{n} sessions, {minutes} min",
        len(plan.sessions),
        minutes=plan.minutes,
    )


def describe_criteria(plan: CoachingPlanView, texts: ScorecardTexts) -> str:
    """Name the criteria of a plan."""
    return formatting.listing(texts.name("criterion", key) for key in plan.criteria) or _(
        "Overall score"
    )


def describe_verdict(effect: CoachingEffect) -> str:
    """Describe the effect of a plan in one line."""
    if effect.missing_before or effect.missing_after:
        if not effect.missing_before:
            return _("Too early to measure the effect")
        return _("Too few evaluations before to measure the effect")
    shown = effect.effect or effect.change
    if not shown.is_significant:
        return _("No statistically clear change")
    if effect.effect is not None:
        return _("{points} compared with similar colleagues", points=describe_points(shown.value))
    return _("{points} since the start", points=describe_points(shown.value))


def severity_of(effect: CoachingEffect) -> str:
    """Return `better`, `attention` or empty, as `ChartTitle.severity`."""
    shown = effect.effect or effect.change
    return chart_titles.severity_of(shown.value if shown and shown.is_significant else 0, "up")


def describe_result(effect: CoachingEffect) -> str:
    """Describe the effect of a plan in a few words, for a list."""
    missing = effect.missing_before + effect.missing_after
    if missing:
        if not effect.missing_before:
            return ngettext(
                "Too early: {n} more evaluation needed",
                "Too early: {n} more evaluations needed",
                missing,
            )
        return _("Too few evaluations before")
    shown = effect.effect or effect.change
    text = _(
        "{points} ({low} to {high})", points=describe_points(shown.value), **_format_limits(shown)
    )
    return text if shown.is_significant else _("{said}, could be chance", said=text)


def describe_effect(effect: CoachingEffect) -> list[str]:
    """Describe the effect of a plan in sentences, warnings included."""
    if effect.missing_before or effect.missing_after:
        return _describe_missing(effect)
    own = effect.own
    sentences = [
        _(
            "Before: {before} ({n_before} evaluations, {period_before}). Since: {after} "
            "({n_after} evaluations, {period_after}).",
            before=formatting.number(own.before.mean, 1),
            n_before=own.before.n,
            period_before=formatting.period(effect.before),
            after=formatting.number(own.after.mean, 1),
            n_after=own.after.n,
            period_after=formatting.period(effect.after),
        ),
        _(
            "Change: {points}, 95 % confidence interval {low} to {high}.",
            points=describe_points(effect.change.value),
            **_format_limits(effect.change),
        ),
    ]
    if effect.effect is not None:
        sentences += [
            ngettext(
                "Meanwhile {n} comparable colleague of the team, not coached on this, went from "
                "{before} to {after}.",
                "Meanwhile {n} comparable colleagues of the team, not coached on this, went from "
                "{before} to {after}.",
                effect.colleagues,
                before=formatting.number(effect.colleagues_before, 1),
                after=formatting.number(effect.colleagues_after, 1),
            ),
            _(
                "Beyond colleagues: {points}, 95 % confidence interval {low} to {high} "
                "(difference in differences, Student's t).",
                points=describe_points(effect.effect.value),
                **_format_limits(effect.effect),
            ),
        ]
    elif effect.sees_colleagues:
        sentences.append(
            _(
                "No colleague is comparable, so this figure includes changes that affected "
                "everybody."
            )
        )
    if effect.missing_for_power:
        more = ngettext(
            "At least {n} more evaluation needed to detect a change of {points} points.",
            "At least {n} more evaluations needed to detect a change of {points} points.",
            effect.missing_for_power,
            points=formatting.number(DETECTABLE_CHANGE),
        )
        sentences.append(more)
    return [*sentences, describe_regression(effect)]


def describe_regression(effect: CoachingEffect) -> str:
    """Warn of regression to the mean; shown with every effect."""
    warning = _(
        "Beware of regression to the mean: coaching mostly starts after low scores. Part of a "
        "rise would have come anyway."
    )
    return (
        warning + " " + _("Comparing with colleagues who were as low removes part of it, not all.")
        if effect.effect is not None
        else warning
    )


def describe_points(points: float) -> str:
    """Format a difference in points, always signed."""
    return _(
        "{number} points", number=("+" if points > 0 else "") + formatting.number(points, 1)
    ).replace(" ", formatting.NO_BREAK)


def _format_limits(estimate: Estimate | ClearRise | CriterionGap) -> dict[str, str]:
    return {
        name: ("+" if edge > 0 else "") + formatting.number(edge, 1)
        for name, edge in (("low", estimate.low), ("high", estimate.high))
    }


def _describe_missing(effect: CoachingEffect) -> list[str]:
    sentences = [
        _(
            "Too early: an estimate needs {n} evaluations before the start and as many after.",
            n=MIN_EVALUATIONS,
        )
    ]
    if effect.missing_before:
        sentences.append(
            ngettext(
                "The ninety days before the start have {n} evaluation; this number is final.",
                "The ninety days before the start have {n} evaluations; this number is final.",
                effect.own.before.n,
            )
        )
    if effect.missing_after:
        sentences.append(
            ngettext(
                "{n} more evaluation is needed since the start.",
                "{n} more evaluations are needed since the start.",
                effect.missing_after,
            )
        )
    return sentences
