"""Acts that wait for a lead or a manager: coaching, disputes, plans, calibrations."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, NN_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.quality import calibration, sampling
from qa_core.quality.coaching.needs import CoachingWeek, Need, NeedKind, find_needs
from qa_core.quality.coaching.texts import describe_reason
from qa_core.quality.evaluations.disputes import DisputeLine, find_disputes

PLAN, SESSION = "plan", "session"
"""Parameters of the addresses of a coaching plan and of a calibration session."""
LATE_DAYS = 7
"""Days beyond which a dispute that waits needs a look."""
TO_COACH = (NeedKind.OVERDUE, NeedKind.SCORE, NeedKind.CRITERION)
TO_DISCUSS = (NeedKind.UNREAD, NeedKind.DISPUTED, NeedKind.TURNED_DOWN)
TITLES = {
    "listen": N_("Listen to"),
    "coach": N_("Coach"),
    "discuss": N_("Talk with"),
    "congratulate": N_("Congratulate"),
    "plans": N_("Evaluate for the listening plan"),
    "disputes": N_("Decide"),
    "sessions": N_("Calibrate"),
}


@dataclass(frozen=True)
class ActionLine:
    """One thing to do: its name, why, and the page and address where it is done."""

    name: str
    reason: str
    page: str
    parameters: dict[str, str] = field(default_factory=dict)


def describe_waiting(waiting: Sequence[DisputeLine]) -> ChartTitle:
    """Describe how many disputes wait for a decision, and for how long."""
    if not waiting:
        return ChartTitle(_("No dispute waits for a decision"))
    oldest = max(line.age_days for line in waiting)
    forms = NN_(
        "{n} dispute raised today waits for a decision",
        "{n} disputes raised today wait for a decision",
    )
    if oldest:
        forms = NN_(
            "{n} dispute has waited {days} for a decision",
            "{n} disputes wait for a decision, the oldest for {days}",
        )
    text = ngettext(*forms, len(waiting), days=formatting.days(oldest))
    return ChartTitle(text, "attention" if oldest > LATE_DAYS else "")


def is_for(viewer: Viewer) -> bool:
    """Return whether this viewer coaches or decides, so that acts may wait for them."""
    return viewer.can(Permission.MANAGE_COACHING) or viewer.can(Permission.DECIDE_DISPUTES)


def find_groups(
    viewer: Viewer, read_needs: Callable[[Viewer], CoachingWeek] = find_needs
) -> dict[str, list[ActionLine]]:
    """Find the acts that wait for this viewer, by key of `TITLES`; only groups with a line.
    `read_needs`: `find_needs`, or a cache of it.
    """
    groups = {}
    if viewer.can(Permission.MANAGE_COACHING):
        week, texts = read_needs(viewer), scorecard_texts.find_scorecard_texts(viewer)
        groups["coach"] = _build_coaching(week.needs, texts)
        groups["listen"] = [
            ActionLine(need.advisor, _join(need, texts), "contacts", {"advisor": need.advisor})
            for need in week.listening
        ]
        groups["congratulate"] = _build_advisors(week.strengths, texts)
        groups["discuss"] = _build_advisors(week.needs, texts, TO_DISCUSS)
    if viewer.can(Permission.DECIDE_DISPUTES):
        waiting = [line for line in find_disputes(viewer) if line.decision is None]
        reason = describe_waiting(waiting).text
        groups["disputes"] = [ActionLine(_("Disputes"), reason, "disputes")] if waiting else []
    if viewer.can(Permission.MANAGE_LISTENING):
        groups["plans"] = [
            ActionLine(
                plan.name, _describe_progress(plan.done, plan.drawn, plan.due_on), "listening"
            )
            for plan in sampling.find_plans(viewer)
            if not plan.is_closed and plan.done < plan.drawn
        ]
    if viewer.can(Permission.SEE_CALIBRATIONS):
        groups["sessions"] = [
            ActionLine(
                item.title,
                _describe_progress(
                    sum(item.finished.values()),
                    len(item.contacts) * len(item.finished),
                    item.due_on,
                ),
                "calibration",
                {SESSION: str(item.id)},
            )
            for item in calibration.find_sessions(viewer)
            if item.is_open
        ]
    return {key: lines for key, lines in groups.items() if lines}


def _build_coaching(needs: Sequence[Need], texts: ScorecardTexts) -> list[ActionLine]:
    lines = []
    for need in needs:
        if reason := _join(need, texts, TO_COACH):
            plan_ids = [item.plan_id for item in need.reasons if item.plan_id is not None]
            parameters = {PLAN: str(plan_ids[0])} if plan_ids else {}
            lines.append(ActionLine(need.advisor, reason, "coaching", parameters))
    return lines


def _build_advisors(
    needs: Sequence[Need], texts: ScorecardTexts, kinds: Collection[NeedKind] = tuple(NeedKind)
) -> list[ActionLine]:
    return [
        ActionLine(need.advisor, reason, "advisor", {"id": need.advisor_id})
        for need in needs
        if (reason := _join(need, texts, kinds))
    ]


def _join(need: Need, texts: ScorecardTexts, kinds: Collection[NeedKind] = tuple(NeedKind)) -> str:
    return " · ".join(describe_reason(item, texts) for item in need.reasons if item.kind in kinds)


def _describe_progress(done: int, expected: int, due_on: date | None) -> str:
    text = _("{n} of {all}", n=done, all=expected)
    return text if due_on is None else f"{text} · " + _("due {day}", day=formatting.day(due_on))
