"""The parts of the page on targets and alerts: targets with the gap to them, the rules
and what they found, and the notes on days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts, annotations, targets
from qa_core.analysis.alerts import Rule, RuleKind
from qa_core.analysis.targets import Scope, TargetValue
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import dimensions, formatting, periods, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.kpis import ALL, Kpi, get_kpi
from qa_core.ui import alert_banner, cached, gate, notes, url_state

SECTIONS = {"targets": N_("Targets"), "alerts": N_("Alerts"), "notes": N_("Notes")}
NEEDED = {
    "targets": Permission.EDIT_TARGETS,
    "alerts": Permission.SEE_ALERTS,
    "notes": Permission.EDIT_NOTES,
}
KINDS = {
    RuleKind.CONTROL: N_("Beyond what is usual"),
    RuleKind.TARGET: N_("Misses its target"),
    RuleKind.THRESHOLD: N_("Above or below a value"),
}
GRAINS = {"day": N_("Day"), "week": N_("Week"), "month": N_("Month")}
SIDES = {"above": N_("Above"), "below": N_("Below")}
OUTCOME = "goals_outcome"


def choose_section(viewer: Viewer) -> str:
    """Targets, alerts or notes, as far as they are the reader's."""
    titles = {
        key: _(title)
        for key, title in SECTIONS.items()
        if viewer.can(NEEDED[key]) or (key == "alerts" and viewer.can(Permission.MANAGE_ALERTS))
    }
    url_state.take("targets", "about", titles, "targets")
    chosen = st.segmented_control(
        _("About"),
        list(titles),
        format_func=titles.get,
        key="about",
        label_visibility="collapsed",
        required=True,
    )
    url_state.give("targets", "about", chosen, "targets")
    return chosen


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def show_targets(viewer: Viewer) -> None:
    """Each target with the gap to it, and setting another."""
    st.caption(
        _(
            "The nearest target holds: the team's, then the queue's, the site's, the centre's. "
            "Trends show it as a line, tiles say the gap."
        )
    )
    found, own = targets.find_all(viewer), targets.find_scopes(viewer)
    left, right = st.columns([7, 4])
    with left:
        st.subheader(_("Targets"), anchor=False)
        if not found:
            st.caption(_("There are no targets yet."))
        for target in found:
            remove = (_remove_target, target.id) if target.scope in own else None
            _show_line(
                _describe_target(viewer, target),
                f"target_{target.id}",
                _("Remove the target"),
                remove,
            )
    with right, st.container(border=True):
        st.subheader(_("Set a target"), anchor=False)
        _ask_target(viewer, own)


def _ask_target(viewer: Viewer, scopes: tuple[Scope, ...]) -> None:
    if not scopes:
        st.caption(_("There is no site or team of yours to set targets for."))
        return
    offered = _offered(viewer)
    with st.form("target_form", border=False):
        kpi = _choose(
            st, _("KPI"), {key: _(kpi.title) for key, kpi in offered.items()}, "target_kpi"
        )
        value = st.text_input(
            _("Should reach"),
            placeholder="85 %",
            help=_("A rate as 85 % or 0.85; times in seconds."),
            key="target_value",
        )
        scope = _choose(
            st, _("Where?"), {scope: notes.name_scope(scope) for scope in scopes}, "target_scope"
        )
        first, last = st.columns(2)
        from_day = first.date_input(
            _("From (empty: always)"), value=None, format="DD/MM/YYYY", key="target_from"
        )
        to_day = last.date_input(
            _("To (empty: open)"), value=None, format="DD/MM/YYYY", key="target_to"
        )
        sent = st.form_submit_button(_("Set the target"), type="primary")
    if sent:
        _do(
            lambda: targets.set_target(
                gate.current_viewer(Permission.EDIT_TARGETS),
                kpi,
                value,
                *scope,
                Period(from_day, to_day),
            ),
            _("The target is set."),
        )


def _describe_target(viewer: Viewer, target: TargetValue) -> str:
    """KPI, value, scope and days, and where the number stands now."""
    kpi = get_kpi(target.kpi)
    parts = [
        f"**{gate.escape(_(kpi.title))}** {formatting.value(target.value, kpi.unit)}",
        gate.escape(notes.name_scope(target.scope)),
        _describe_days(target),
    ]
    gap = _measure_gap(viewer, target)
    return " · ".join(part for part in (*parts, gap) if part)


def _describe_days(target: TargetValue) -> str:
    if target.starts_on and target.ends_on:
        return formatting.period(Period(target.starts_on, target.ends_on))
    if target.starts_on:
        return _("from {day}", day=formatting.day(target.starts_on, year=True))
    return (
        _("until {day}", day=formatting.day(target.ends_on, year=True))
        if target.ends_on
        else _("always")
    )


def _measure_gap(viewer: Viewer, target: TargetValue) -> str:
    """How far the last weeks (for some: months) are from a target in force."""
    kpi, span = (
        get_kpi(target.kpi),
        query.data_span(viewer) if viewer.can(get_kpi(target.kpi).needs) else None,
    )
    if span is None or kpi.is_amount or not target.holds_on(environment.today()):
        return ""
    where = Filters.of(
        periods.build_period(periods.default(viewer), span[1], span[0]),
        {target.dimension: [target.name]} if target.dimension else {},
    )
    row = cached.headline(viewer, (kpi.key,), where)[kpi.key]
    gap = targets.compare(kpi, target.value, row.value, row.low, row.high)
    if gap.gap is None:
        return ""
    text = _(
        "now {value} ({change})",
        value=formatting.value(row.value, kpi.unit),
        change=formatting.change(gap.gap, kpi.unit),
    )
    return f":orange[:material/error:] {text}" if gap.is_met is False and gap.is_sure else text


def show_alerts(viewer: Viewer) -> None:
    """What needs a look now, what somebody looks after, and the rules."""
    st.caption(
        _(
            "Rules are evaluated after each import. What rang stays one alert until it was "
            "clear for some periods."
        )
    )
    st.caption(_("Days, weeks and months that are not over ring no alert, nor do small samples."))
    if viewer.can(Permission.SEE_ALERTS):
        st.subheader(_("Alerts"), anchor=False)
        rung, looked_after = cached.find_alerts(viewer), alerts.find(viewer, ("acknowledged",))
        alert_banner.show_open(viewer, rung, with_rule=True)
        for event in looked_after:
            told = _("Acknowledged by {name}", name=event.acknowledged_by)
            st.markdown(
                f":material/check: {alert_banner.describe(viewer, event)}  "
                f"\n:gray[{gate.escape(told)}]"
            )
        if not rung and not looked_after:
            st.caption(_("No alert stands."))
    left, right = st.columns([7, 4])
    with left:
        _show_rules(viewer)
    if viewer.can(Permission.MANAGE_ALERTS):
        with right, st.container(border=True):
            st.subheader(_("Add a rule"), anchor=False)
            _ask_rule(viewer)


def _show_rules(viewer: Viewer) -> None:
    st.subheader(_("Rules"), anchor=False)
    rules = alerts.find_rules(viewer)
    if not rules:
        st.caption(_("There are no rules yet."))
    for rule in rules:
        parts = (
            _name_rule_scope((rule.dimension, rule.name)),
            _(GRAINS[rule.grain]),
            alerts.describe_rule(rule),
        )
        text = f"**{gate.escape(_(get_kpi(rule.kpi).title))}** " + gate.escape(" · ".join(parts))
        _show_line(
            text,
            f"rule_{rule.id}",
            _("End the rule"),
            (_end_rule, rule.id) if rule.is_mine else None,
        )
    missing = alerts.find_missing(viewer)
    if missing:
        st.button(
            _("Add the suggested rules"),
            icon=":material/playlist_add:",
            on_click=_add_suggested,
            key="add_suggested",
        )


def _ask_rule(viewer: Viewer) -> None:
    offered = _offered(viewer)
    key = _choose(st, _("KPI"), {key: _(kpi.title) for key, kpi in offered.items()}, "rule_kpi")
    kind = _choose(
        st,
        _("Needs a look when it is"),
        {kind: _(title) for kind, title in KINDS.items()},
        "rule_kind",
    )
    side, value, periods = None, "", 1
    if kind == RuleKind.THRESHOLD:
        first, second = st.columns(2)
        side = _choose(
            first, _("Side"), {side: _(title) for side, title in SIDES.items()}, "rule_side"
        )
        value = second.text_input(
            _("Value"), help=_("A rate as 85 % or 0.85; times in seconds."), key="rule_value"
        )
        periods = st.number_input(_("Periods in a row"), 1, 12, 1, key="rule_periods")
    dimensions = [
        dimension for dimension in alerts.DIMENSIONS if dimension in offered[key].dimensions
    ]
    places = [scope for scope in targets.find_scopes(viewer) if scope[0] in dimensions]
    scopes = [(None, None), *((dimension, None) for dimension in dimensions), *places]
    scope = _choose(
        st, _("Where?"), {scope: _name_rule_scope(scope) for scope in scopes}, "rule_scope"
    )
    grains = [
        grain for grain in ("week", "month", "day") if kind != RuleKind.CONTROL or grain != "day"
    ]
    first, second = st.columns(2)
    grain = _choose(first, _("By"), {grain: _(GRAINS[grain]) for grain in grains}, "rule_grain")
    clear_after = second.number_input(_("Over after clear periods"), 1, 12, 2, key="rule_clear")
    if st.button(_("Add a rule"), type="primary", key="rule_add"):
        rule = Rule(key, kind, grain, *scope, side, None, int(periods), int(clear_after))
        _do(
            lambda: _add_rule(rule, value),
            _("The rule is set; it is evaluated now and after each import."),
        )


def _add_rule(rule: Rule, value: str) -> None:
    viewer = gate.current_viewer(Permission.MANAGE_ALERTS)
    threshold = (
        targets.parse_value(get_kpi(rule.kpi), value) if rule.kind == RuleKind.THRESHOLD else None
    )
    alerts.add(viewer, Rule(**{**vars(rule), "threshold": threshold}))
    alerts.evaluate_after_import()


def show_notes(viewer: Viewer) -> None:
    """What went on: the notes that the reader may take away, and writing one."""
    st.caption(
        _("Notes stand as small markers on the trends of whoever sees the figures of that place.")
    )
    found = [note for note in reversed(annotations.find(viewer)) if note.is_mine_to_remove]
    left, right = st.columns([7, 4])
    with left:
        st.subheader(_("Notes"), anchor=False)
        if not found:
            st.caption(_("There are no notes yet."))
        notes.show_list(found, "page")
    with right, st.container(border=True):
        st.subheader(_("Add a note"), anchor=False)
        scopes = annotations.find_scopes(viewer)
        if scopes:
            notes.ask(scopes, "page", environment.today())
        else:
            st.caption(_("There is no site or team of yours to write about."))


def _choose(place: Any, label: str, titles: Mapping[Any, str], key: str) -> Any:
    return place.selectbox(label, list(titles), format_func=titles.get, key=key)


def _offered(viewer: Viewer) -> dict[str, Kpi]:
    """The KPIs to choose from, by title; an administrator sees no figures but sets
    rules on all of them.
    """
    is_open = viewer.can(Permission.MANAGE_SETTINGS)
    return {
        kpi.key: kpi
        for kpi in sorted(ALL, key=lambda kpi: _(kpi.title))
        if is_open or viewer.can(kpi.needs)
    }


def _name_rule_scope(scope: Scope) -> str:
    dimension, name = scope
    if dimension is None or name is not None:
        return notes.name_scope(scope)
    return _("Each value of: {dimension}", dimension=_(dimensions.get_dimension(dimension).title))


def _show_line(
    text: str, key: str, title: str, remove: tuple[Callable[[int], None], int] | None
) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"):
        st.markdown(text, width="stretch")
        if remove is not None:
            st.button(
                "",
                icon=":material/delete:",
                type="tertiary",
                help=title,
                key=key,
                on_click=_try,
                args=remove,
            )


def _remove_target(number: int) -> None:
    targets.remove(gate.current_viewer(Permission.EDIT_TARGETS), number)


def _end_rule(number: int) -> None:
    alerts.end(gate.current_viewer(Permission.MANAGE_ALERTS), number)


def _add_suggested() -> None:
    alerts.add_suggested(gate.current_viewer(Permission.MANAGE_ALERTS))
    alerts.evaluate_after_import()


def _try(act: Callable[[int], None], number: int) -> None:
    """Callback: do it, or say why not."""
    try:
        act(number)
    except Refusal as refusal:
        gate.show_refusal(refusal)


def _do(act: Callable[[], Any], said: str) -> None:
    try:
        act()
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = said
    st.rerun()
