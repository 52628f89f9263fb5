"""Texts on coaching: needs, state of plans, effects with their uncertainty."""

from qa_core.analysis import chart_titles
from qa_core.base import declared, environment
from qa_core.base.i18n import N_, _, ngettext
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
from qa_core.quality.coaching.plans import CoachingPlanView

_DECLARED = declared.read(__file__)
STATES: dict[str, str] = _DECLARED["states"]
REASONS: dict[str, list[str]] = _DECLARED["reasons"]
"""Words for a need with its number; others are about a gap."""


def describe_reason(reason: NeedReason, texts: ScorecardTexts) -> str:
    """Describe one need, or one strength."""
    if reason.kind == NeedKind.PLANNED:
        return _describe_planned(reason)
    if reason.rise is not None:
        return _(
            "Score: {points} in 13 weeks, from {before} (n = {n_before}) to {now} (n = {n}); "
            "interval {low} to {high}",
            points=describe_points(reason.rise.now.mean - reason.rise.before.mean),
            before=formatting.number(reason.rise.before.mean),
            n_before=reason.rise.before.n,
            now=formatting.number(reason.rise.now.mean),
            n=reason.rise.now.n,
            **_format_limits(reason.rise),
        )
    if reason.gap is not None:
        return _describe_gap(reason, reason.gap, texts)
    if reason.kind == NeedKind.UNHEARD and not reason.n:
        return _("Never evaluated") if reason.n is None else _("Evaluated in the last week")
    return ngettext(*REASONS[reason.kind], reason.n or 0)


def _describe_planned(reason: NeedReason) -> str:
    done = ngettext(
        "{done} of {n} planned contact evaluated",
        "{done} of {n} planned contacts evaluated",
        reason.planned,
        done=reason.n,
    )
    due = reason.due_on and _("due {day}", day=formatting.day(reason.due_on))
    return ", ".join(filter(None, (done, due)))


def _describe_gap(reason: NeedReason, gap: CriterionGap, texts: ScorecardTexts) -> str:
    sentence = _(
        "{what}: about {points} from the rest of the team ({mean} against {others} of 100, "
        "n = {n}; interval {low} to {high})",
        what=_("Score") if gap.criterion is None else _quote(gap.criterion, texts),
        points=describe_points(gap.shrunk_difference),
        mean=formatting.number(gap.mean),
        others=formatting.number(gap.others),
        n=gap.n,
        **_format_limits(gap),
    )
    if gap.criterion is None and reason.criteria:
        lowest = formatting.listing(_quote(key, texts) for key in reason.criteria)
        message = N_("No single criterion differs clearly; lowest: {criteria}")
        sentence += ". " + _(message, criteria=lowest)
    if reason.plan_id is not None:
        sentence += ". " + _("Coaching on it is under way")
    return sentence


def _quote(key: str, texts: ScorecardTexts) -> str:
    return _("“{name}”", name=texts.name("criterion", key))


def describe_week(week: CoachingWeek) -> str:
    if not week.advisors:
        return _("You lead no advisor today.")
    looked = ngettext("{n} advisor reviewed.", "{n} advisors reviewed.", week.advisors)
    if not week.compared:
        return looked + " " + _("Too few evaluations in the last 26 weeks to compare scores.")
    compared = ngettext(
        "Scores of the last 26 weeks: {n} advisor compared. Only statistically clear "
        "differences are listed; this is not a ranking.",
        "Scores of the last 26 weeks: {n} advisors compared. Only statistically clear "
        "differences are listed; this is not a ranking.",
        week.compared,
    )
    return f"{looked} {compared}"


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
    due = plan.due_on and _("due {day}", day=formatting.day(plan.due_on, year=True))
    return ", ".join(filter(None, (_("Under way"), due)))


def describe_progress(plan: CoachingPlanView) -> str:
    if not plan.sessions:
        return _("No session yet")
    return ngettext(
        "{n} session, {minutes} min",
        "{n} sessions, {minutes} min",
        len(plan.sessions),
        minutes=plan.minutes,
    )


def describe_criteria(plan: CoachingPlanView, texts: ScorecardTexts) -> str:
    return formatting.listing(texts.name("criterion", key) for key in plan.criteria) or _(
        "Overall score"
    )


def severity_of(effect: CoachingEffect) -> str:
    """Return `better`, `attention` or empty, as `ChartTitle.severity`."""
    shown = effect.effect or effect.change
    return chart_titles.severity_of(shown.value if shown and shown.is_significant else 0, "up")


def describe_result(effect: CoachingEffect) -> str:
    if effect.missing_before:
        return _("Too few evaluations before")
    if effect.missing_after:
        return ngettext(
            "Too early: {n} more evaluation needed",
            "Too early: {n} more evaluations needed",
            effect.missing_after,
        )
    shown = effect.effect or effect.change
    text = _(
        "{points} ({low} to {high})", points=describe_points(shown.value), **_format_limits(shown)
    )
    return text if shown.is_significant else f"{text}, {_('no statistically clear change')}"


def describe_effect(effect: CoachingEffect) -> list[str]:
    """Describe the effect of a plan in sentences, warnings included."""
    own = effect.own
    if effect.missing_before or effect.missing_after:
        message = N_(
            "An estimate needs {n} evaluations before the start and as many since: there are "
            "{before} and {after}."
        )
        return [_(message, n=MIN_EVALUATIONS, before=own.before.n, after=own.after.n)]
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
        _describe_estimate(_("Change"), effect.change),
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
            _describe_estimate(_("Beyond colleagues"), effect.effect),
        ]
    elif effect.sees_colleagues:
        message = N_(
            "No colleague is comparable, so this figure includes changes that affected everybody."
        )
        sentences.append(_(message))
    if effect.missing_for_power:
        more = ngettext(
            "At least {n} more evaluation needed to detect a change of {points} points.",
            "At least {n} more evaluations needed to detect a change of {points} points.",
            effect.missing_for_power,
            points=formatting.number(DETECTABLE_CHANGE),
        )
        sentences.append(more)
    warning = N_(
        "Some of a rise would have come anyway (regression to the mean): coaching usually starts "
        "after low scores."
    )
    return [*sentences, _(warning)]


def _describe_estimate(what: str, estimate: Estimate) -> str:
    return _(
        "{what}: {points}, 95 % confidence interval {low} to {high}.",
        what=what,
        points=describe_points(estimate.value),
        **_format_limits(estimate),
    )


def describe_points(points: float) -> str:
    """Format a difference in points, always signed."""
    return _(
        "{points} points", points=("+" if points > 0 else "") + formatting.number(points, 1)
    ).replace(" ", formatting.NO_BREAK)


def _format_limits(estimate: Estimate | ClearRise | CriterionGap) -> dict[str, str]:
    return {
        name: ("+" if edge > 0 else "") + formatting.number(edge, 1)
        for name, edge in (("low", estimate.low), ("high", estimate.high))
    }
