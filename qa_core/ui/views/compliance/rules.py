"""The rules at a glance: the rules, who acts, and their history."""

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.charts import bars
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance.rules import catalogue, history
from qa_core.compliance.rules.catalogue import RuleVerdict
from qa_core.compliance.rules.findings import STATE_TITLES, RuleState
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards

SHOWN_DAYS = 91
MARKS = {
    RuleState.IN_ORDER: (":green[:material/check_circle:]", bars.QUIET),
    RuleState.TO_DO: (":blue[:material/pending:]", bars.NOTED),
    RuleState.NOT_IN_ORDER: (":red[:material/cancel:]", bars.ATTENTION),
    RuleState.NOT_MEASURABLE: (":red[:material/help:]", bars.ATTENTION),
}
"""Icon and weight of each state."""


def show(viewer: Viewer) -> None:
    """Show who acts by when, the rules and their history."""
    verdicts = cached.judge_rules(viewer)
    waiting = [verdict for verdict in verdicts if verdict.state != RuleState.IN_ORDER]
    waiting.sort(key=lambda verdict: (not verdict.state.is_red, verdict.due_on))
    if waiting:
        st.subheader(_("Who acts, by when"), anchor=False)
        _show_waiting(waiting)
    st.subheader(_("All rules"), anchor=False)
    _show_rules(verdicts)
    _show_history(viewer, verdicts)


def show_glance(viewer: Viewer) -> None:
    """Show the answer at a glance."""
    verdicts = cached.judge_rules(viewer)
    states = [verdict.state for verdict in verdicts]
    red = sum(state.is_red for state in states)
    to_do = states.count(RuleState.TO_DO)
    answer = _(
        "{count} of {total} rules are in order.",
        count=states.count(RuleState.IN_ORDER),
        total=len(states),
    )
    colour = "red" if red else "blue" if to_do else "green"
    parts = []
    if red:
        titles = [_(verdict.rule.title) for verdict in verdicts if verdict.state.is_red]
        listed = formatting.listing(titles)
        text = ngettext(
            "{n} rule is red: {titles}.", "{n} rules are red: {titles}.", red, titles=listed
        )
        parts.append(text)
    if to_do:
        parts.append(ngettext("{n} rule needs action.", "{n} rules need action.", to_do))
    if due := [verdict.due_on for verdict in verdicts if verdict.due_on]:
        parts.append(_("Next by {day}.", day=formatting.day(min(due), year=True)))
    with cards.card(gap="small"):
        st.markdown(f"### :{colour}[{escape(answer)}]")
        st.markdown(escape(" ".join(parts)))
        st.caption(formatting.full_day(environment.today()))


def _show_waiting(waiting: Sequence[RuleVerdict]) -> None:
    for start in range(0, len(waiting), 2):
        columns = st.columns(2, gap="medium")
        for column, verdict in zip(columns, waiting[start : start + 2], strict=False):
            row = catalogue.describe(verdict)
            heading = f"{row['rule']} · {row['title']}"
            who = _("{who}, by {day}.", who=row["actor"], day=row["due"])
            since = _("since {day}", day=row["since"])
            with column, cards.card(gap="xxsmall", is_stretched=True):
                st.markdown(f"{MARKS[verdict.state][0]} **{escape(heading)}**")
                st.markdown(escape(row["missing"]))
                st.caption(escape(f"{since} · {who}"))


def _show_rules(verdicts: Sequence[RuleVerdict]) -> None:
    lines = []
    for verdict in verdicts:
        row = {name: escape(text) for name, text in catalogue.describe(verdict).items()}
        since = _("since {day}", day=row["since"])
        lines.append(
            {
                _("Rule"): f"**{row['rule']} · {row['title']}**  \n{row['asks']}  \n"
                f":small[:gray[{row['source']}]]",
                _("State"): f"{MARKS[verdict.state][0]} {row['state']}  \n:small[:gray[{since}]]",
                _("Evidence"): row["evidence"],
            }
        )
    # A static table, since its cells break into lines and it prints.
    with st.container(key="stacked_rules"):
        st.table(lines, border="horizontal", hide_index=True)


def _show_history(viewer: Viewer, verdicts: Sequence[RuleVerdict]) -> None:
    today = environment.today()
    days = [today - timedelta(days=back) for back in range(SHOWN_DAYS - 1, -1, -1)]
    earlier = history.find_states(viewer)
    st.subheader(_("The last three months"), anchor=False)
    if not earlier:
        st.caption(_("None yet."))
        return

    def cell(number: str, day: date, state: str | None) -> tuple[int, str] | None:
        if state is None:
            return None
        title = _(STATE_TITLES[RuleState(state)])
        text = f"{number} · " + _("{what}: {text}", what=formatting.day(day), text=title)
        return MARKS[RuleState(state)][1], text

    rows = {}
    for verdict in verdicts:
        number = verdict.rule.number
        states = {day: noted.get(number) for day, noted in earlier.items()}
        states[today] = verdict.state
        rows[number] = [cell(number, day, states.get(day)) for day in days]
    figure = bars.build_strips(days, rows, dark=styles.is_dark())
    caption = _(
        "Marks: one per day. Pale: in order. Blue: to do. Orange: not in order or not measurable. "
        "Gap: no entry that day."
    )
    cards.show_chart(figure, _("The rules over time"), caption, "rule_history")
