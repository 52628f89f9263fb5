"""Acts possible this week, each line with its reason and its page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.quality import calibration, sampling
from qa_core.quality.coaching.needs import Need, NeedKind
from qa_core.quality.coaching.texts import describe_reason
from qa_core.quality.evaluations.disputes import find_disputes
from qa_core.ui.frame import cached, layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import coaching_plan, disputes
from qa_core.ui.views.quality.calibration import SESSION
from qa_core.ui.widgets import cards

MAX_LINES = 3
"""Lines of a group; the page behind them has the others."""
TO_COACH = (NeedKind.OVERDUE, NeedKind.SCORE, NeedKind.CRITERION)
TO_DISCUSS = (NeedKind.UNREAD, NeedKind.DISPUTED, NeedKind.TURNED_DOWN)
TITLES = {
    "listen": (N_("Listen to"), ":material/headphones:"),
    "coach": (N_("Coach"), ":material/sports:"),
    "discuss": (N_("Talk with"), ":material/forum:"),
    "congratulate": (N_("Congratulate"), ":material/celebration:"),
    "plans": (N_("Evaluate for the listening plan"), ":material/fact_check:"),
    "disputes": (N_("Decide"), ":material/gavel:"),
    "sessions": (N_("Calibrate"), ":material/balance:"),
}


@dataclass(frozen=True)
class ActionLine:
    """One thing to do: its name, why, and the page and address where it is done."""

    name: str
    reason: str
    page: str
    parameters: dict[str, str] = field(default_factory=dict)


def show(viewer: Viewer) -> None:
    """Show what waits for this viewer; nothing for one who neither coaches nor decides."""
    if not viewer.can(Permission.MANAGE_COACHING) and not viewer.can(Permission.DECIDE_DISPUTES):
        return
    groups = {key: lines for key, lines in _find_groups(viewer).items() if lines}
    if not groups:
        cards.card(_("Nothing waits for you this week"))
        return
    with cards.card(_("What you can do this week")):
        for key, lines in groups.items():
            _show_group(key, lines)


def _show_group(key: str, lines: Sequence[ActionLine]) -> None:
    title, icon = TITLES[key]
    st.markdown(f"{icon} **{_(title)}**")
    for line in lines[:MAX_LINES]:
        with layout.row("xxsmall"):
            menu.show_page_link(line.page, escape(line.name), "arrow_forward", line.parameters)
            st.caption(escape(line.reason))
    if more := len(lines[MAX_LINES:]):
        st.caption(ngettext("{n} more after these", "{n} more after these", more))


def _find_groups(viewer: Viewer) -> dict[str, list[ActionLine]]:
    groups = {}
    if viewer.can(Permission.MANAGE_COACHING):
        week, texts = cached.find_needs(viewer), scorecard_texts.find_scorecard_texts(viewer)
        groups["coach"] = _build_coaching(week.needs, texts)
        groups["listen"] = [
            ActionLine(need.advisor, _join(need, texts), "contacts", {"advisor": need.advisor})
            for need in week.listening
        ]
        groups["congratulate"] = _build_advisors(week.strengths, texts)
        groups["discuss"] = _build_advisors(week.needs, texts, TO_DISCUSS)
    if viewer.can(Permission.DECIDE_DISPUTES):
        waiting = [line for line in find_disputes(viewer) if line.decision is None]
        reason = disputes.describe_waiting(waiting).text
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
    return groups


def _build_coaching(needs: Sequence[Need], texts: ScorecardTexts) -> list[ActionLine]:
    lines = []
    for need in needs:
        if reason := _join(need, texts, TO_COACH):
            plan_ids = [item.plan_id for item in need.reasons if item.plan_id is not None]
            parameters = {coaching_plan.PLAN: str(plan_ids[0])} if plan_ids else {}
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
