"""Draws for a listening plan, whether each was fair, and the assigned contacts."""

import secrets
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import charts
from qa_core.base.i18n import _, capitalise, ngettext, uncapitalise
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law.sampling_frame import DIMENSIONS, REASONS, REMEDIES
from qa_core.quality import sampling
from qa_core.quality.sampling import DrawnAssignment, PlanState, StoredDraw, labels, replacement
from qa_core.quality.sampling.fairness import Fairness
from qa_core.ui.frame import gate, layout, styles
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, tables

SEED, PLAN, TRIED = "listening_seed", "listening_plan_drawn", "listening_tried"
MAX_NAMES = 12
HIGHEST_SEED = 999_999
"""Of the seeds proposed here: easy to read out and to write down."""
ASSIGNED, ASSIGNED_PLAN = "listening_given", "listening_given_plan"


def show(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    """Ask for plan and seed, try or draw; show the draws that were made."""
    drawn_for = {plan.name: plan for plan in plans if plan.purpose != "targeted"}
    if not drawn_for:
        st.info(_("Make a plan under Plans to draw contacts."))
        return
    st.session_state.setdefault(SEED, secrets.randbelow(HIGHEST_SEED) + 1)
    with cards.card(gap="small"):
        first, second, third, fourth = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
        name = first.selectbox(_("Plan"), list(drawn_for), key=PLAN)
        hint = _("The same seed repeats the same draw.")
        seed = second.number_input(_("Seed"), min_value=0, step=1, key=SEED, help=hint)
        is_closed, tried = drawn_for[name].is_closed, (name, int(seed))
        buttons = {"width": "stretch", "disabled": is_closed}
        if third.button(_("Try it"), icon=":material/visibility:", **buttons):
            st.session_state[TRIED] = tried
        is_sent = fourth.button(_("Draw"), type="primary", icon=":material/casino:", **buttons)
        if is_sent:
            st.session_state.pop(TRIED, None)
        if is_closed:
            st.caption(_("This plan is closed: no more contacts are drawn for it."))
        if st.session_state.get(TRIED) == tried:
            _show_preview(viewer, *tried)
    if is_sent:
        with actions.show_refusals():
            result = sampling.draw(gate.current_viewer(Permission.MANAGE_LISTENING), *tried)
            text = ngettext(
                "{n} contact is drawn and assigned.",
                "{n} contacts are drawn and assigned.",
                len(result.drawn),
            )
            actions.finish(text if result.drawn else "")
    for position, stored in enumerate(sampling.find_draws(viewer, name)):
        _show_stored(stored, is_newest=position == 0)


def _show_preview(viewer: Viewer, name: str, seed: int) -> None:
    with actions.show_refusals():
        result = sampling.draw(viewer, name, seed, dry_run=True)
        _show_count(len(result.drawn), result.frame)
        _show_frame(result.excluded, result.frame, "preview")
        missing = {result.name_of(advisor): count for advisor, count in result.short.items()}
        _show_missing(missing, result.excluded)


def _show_count(drawn: int, frame: int) -> None:
    text = ngettext(
        "{n} contact drawn, from {frame} that may be listened to",
        "{n} contacts drawn, from {frame} that may be listened to",
        drawn,
        frame=formatting.number(frame),
    )
    st.markdown(f"**{text}**")


def _show_frame(excluded: Mapping[str, int], frame: int, key: str) -> None:
    counts = [
        (_("may be listened to"), frame),
        *((uncapitalise(_(REASONS[reason])), count) for reason, count in excluded.items()),
    ]
    heading = _("Contacts")
    bar = st.column_config.ProgressColumn(
        heading,
        format="localized",
        min_value=0,
        max_value=max(count for _reason, count in counts) or 1,
        width=150,
    )
    columns = (
        tables.name_column(_("Why"), lambda line: line[0], 215),
        tables.TableColumn(heading, lambda line: line[1], bar),
    )
    tables.show(counts, columns, f"excluded_{key}", height=420)


def _show_missing(missing: Mapping[str, int], excluded: Mapping[str, int]) -> None:
    """Say who lacks contacts, and what brings back most of those that may not be listened to."""
    if not missing:
        return
    worst = sorted(missing.items(), key=lambda entry: (-entry[1], entry[0]))
    names = [f"{name} ({count})" for name, count in worst[:MAX_NAMES]]
    if len(worst) > MAX_NAMES:
        names.append("…")
    text = ngettext(
        "{n} contact is missing: {names}",
        "{n} contacts are missing: {names}",
        sum(missing.values()),
        names=formatting.listing(names),
    )
    st.caption(":material/person_alert: " + escape(text))
    if remedies := sorted(REMEDIES.keys() & excluded.keys(), key=lambda why: -excluded[why]):
        st.info(_(REMEDIES[remedies[0]]))


def _show_stored(stored: StoredDraw, is_newest: bool) -> None:
    moment = formatting.local_moment(stored.drawn_at)
    by = _("by {name}, {when}", name=stored.drawn_by, when=moment)
    title = f"{_('{what}: {text}', what=_('Seed'), text=stored.seed)} · {escape(by)}"
    with st.expander(title, expanded=is_newest):
        _show_count(stored.drawn, stored.frame)
        if st.button(_("Verify"), icon=":material/fact_check:", key=f"verify_{stored.id}"):
            with actions.show_refusals():
                _verify(stored)
        left, right = st.columns(2, gap="medium")
        with left:
            _show_frame(stored.excluded, stored.frame, str(stored.id))
            _show_missing(stored.short, stored.excluded)
        with right:
            _show_fairness(stored)


def _verify(stored: StoredDraw) -> None:
    verdict = sampling.verify(gate.current_viewer(Permission.MANAGE_LISTENING), stored.id)
    if verdict.is_same:
        st.success(_("Same list, from the same sampling frame."), icon=":material/verified:")
        return
    text = _(
        "The list differs today: {causes}. The sampling frame had {then} contacts, now {now}.",
        causes=formatting.listing(labels.name_cause(cause) for cause in verdict.causes),
        then=formatting.number(verdict.frame_then),
        now=formatting.number(verdict.frame_now),
    )
    st.warning(escape(text), icon=":material/difference:")


def _show_fairness(stored: StoredDraw) -> None:
    if not stored.shares:
        return
    title = _("Was the sample fair?")
    st.markdown(f"**{title}**")
    tests = {entry.dimension: entry for entry in stored.shares}
    chosen = st.segmented_control(
        _("By"),
        list(tests),
        format_func=labels.name_dimension,
        default=next(
            (name for name, entry in tests.items() if entry.p_value is not None), DIMENSIONS[0]
        ),
        key=f"fair_{stored.id}",
        label_visibility="collapsed",
        required=True,
    )
    entry = tests[chosen]
    st.caption(_describe_fairness(entry))
    if entry.p_value is None:
        return
    drawn = sum(share.drawn for share in entry.shares) or 1
    rows = []
    for share in entry.shares:
        low, high = stats.chance_range(share.expected, share.deviation)
        rows.append(
            {
                "key": share.value,
                "label": labels.name_value(chosen, share.value),
                "value": share.drawn / drawn,
                "low": None,
                "high": None,
                "n": share.drawn,
                "chance_low": max(0.0, low / drawn),
                "chance_high": min(1.0, high / drawn),
            }
        )
    figure = charts.build_dots(pd.DataFrame(rows), "rate", dark=styles.is_dark(), bounds=(0, 1))
    cards.show_figure(figure, f"fair_figure_{stored.id}", title)
    text = _(
        "Dots: shares in the sample. Grey: 95 % of samples by chance alone, from each "
        "advisor's own contacts."
    )
    st.caption(text)


def _describe_fairness(entry: Fairness) -> str:
    if entry.p_value is None:
        return _("All contacts are the same here, or all were drawn: nothing to compare.")
    if entry.p_value < 0.001:
        return ":orange[:material/error:] " + _(
            "Chance alone gives a sample this different in fewer than 1 of 1,000 draws. Find out "
            "what went wrong."
        )
    is_usual = entry.p_value >= 0.05
    text = _(
        "Chance alone gives a sample this different in {n} of 100 draws.",
        n=max(1, round(100 * entry.p_value)),
    )
    return f":green[:material/check_circle:] {text}" if is_usual else text


def show_assigned(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    """Show the contacts, the chosen one with what can be done, and the evaluators."""
    names = {None: _("All plans")} | {plan.name: plan.name for plan in plans}
    chosen = layout.select(st, _("Plan"), names, ASSIGNED_PLAN)
    assigned = sampling.find_assignments(viewer, chosen)
    if not assigned:
        text = _("No contact is assigned yet. Draw contacts under Draws.")
        st.info(text, icon=":material/inbox:")
        return
    _show_table(assigned)
    row = tables.find_clicked(ASSIGNED, assigned)
    if row is not None:
        _show_assignment(row)
    _show_load(viewer)


def _show_table(assigned: Sequence[DrawnAssignment]) -> None:
    def state(row: DrawnAssignment) -> str:
        return "⚠ " + _("Overdue") if row.is_overdue else _(labels.STATE_TITLES[row.state])

    columns = (
        tables.name_column(_("Contact"), lambda row: formatting.moment(row.local_start), 140),
        tables.text_column(_("State"), state),
        tables.text_column(_("Advisor"), lambda row: row.advisor, 150),
        tables.text_column(_("Queue"), lambda row: row.queue, 150),
        tables.text_column(_("Evaluator"), lambda row: row.evaluator),
        tables.day_text_column(_("Due"), lambda row: row.due_on),
    )
    tables.show(assigned, columns, ASSIGNED, lambda row: None, height=430)


def _show_assignment(row: DrawnAssignment) -> None:
    contact = f"{row.advisor or '–'} · {formatting.moment(row.local_start)}"
    about = (row.plan, labels.name_purpose(row.purpose), row.evaluator)
    with cards.card(gap="xsmall"):
        st.markdown(f"**{escape(contact)}**")
        st.caption(escape(" · ".join(filter(None, about))))
        if row.state == "replaced":
            reason = labels.name_reason(row.replaced_because)
            st.caption(_("Replaced: {reason}.", reason=reason))
            return
        if row.state == "done" or row.purpose == "targeted":
            st.caption(_("Only drawn contacts that are not evaluated yet can be replaced."))
            return
        reasons = {key: labels.name_reason(key) for key in replacement.REPLACEMENT_REASONS}
        reason = layout.select(st, _("Reason"), reasons, f"because_{row.drawn_id}")
        text = _(
            "The next contact of the same advisor in the draw takes its place. Nobody chooses it."
        )
        st.caption(text)
        if st.button(_("Replace"), icon=":material/swap_horiz:", key=f"replace_{row.drawn_id}"):
            with actions.perform(Permission.MANAGE_LISTENING) as acting:
                new = sampling.replace(acting, row.drawn_id, reason)
                actions.finish(labels.describe_replacement(new))


def _show_load(viewer: Viewer) -> None:
    st.markdown("**" + _("Evaluators") + "**")
    loads = sampling.find_load(viewer)
    columns = (
        tables.name_column(_("Evaluator"), lambda load: load.evaluator, 200),
        tables.count_column(capitalise(_("waiting")), lambda load: load.waiting, 110),
        tables.count_column(_("Overdue"), lambda load: load.overdue, 110),
        tables.count_column(_("Done"), lambda load: load.done, 110),
    )
    tables.show(loads, columns, "listening_load")
    for load in loads:
        if not load.may_listen:
            text = _(
                "{name} is no longer accredited: their waiting contacts are not listened to.",
                name=load.evaluator,
            )
            st.caption(":orange[:material/error:] " + escape(text))
