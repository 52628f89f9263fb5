"""The Targets and alerts page: targets with their gaps, rules and alerts, notes on days."""

from dataclasses import replace

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts, annotations, targets
from qa_core.analysis.alerts import Rule, RuleKind
from qa_core.analysis.targets import Scope, TargetValue
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.metrics import query
from qa_core.metrics.kpis import ALL, Kpi, dimensions, formatting, get_kpi, periods
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import webhook
from qa_core.ui.widgets import actions, alert_banner, notes, notices, segmented_choice
from qa_core.upkeep import after_import

SECTIONS = {
    "targets": (N_("Targets"), (Permission.EDIT_TARGETS,)),
    "alerts": (N_("Alerts"), (Permission.SEE_ALERTS, Permission.MANAGE_ALERTS)),
    "notes": (N_("Notes"), (Permission.EDIT_NOTES,)),
}
"""Title of each section, and the permissions: one of them is needed."""
NO_SCOPE = N_("You have no site or team.")
KINDS = {
    RuleKind.CONTROL: N_("Outside its usual range"),
    RuleKind.TARGET: N_("Misses its target"),
    RuleKind.THRESHOLD: N_("Above or below a value"),
}
GRAINS = {"week": N_("Week"), "month": N_("Month"), "day": N_("Day")}
SIDES = {"above": N_("Above"), "below": N_("Below")}


def choose_section(viewer: Viewer) -> str:
    titles = {
        key: _(title) for key, (title, needed) in SECTIONS.items() if any(map(viewer.can, needed))
    }
    return segmented_choice.ask("about", _("About"), titles)


def show_lost_figures(viewer: Viewer) -> None:
    """Name the KPIs of the viewer's targets and rules that have no value now."""

    def find() -> list[str]:
        kpis = [
            target.kpi for target in targets.find_all(viewer) if target.set_by == viewer.username
        ]
        rules = alerts.find_rules(viewer)
        kpis += [rule.kpi for rule in rules if rule.created_by == viewer.username]
        lost = query.find_out_of_scope(viewer, tuple(dict.fromkeys(kpis)))
        return [_(get_kpi(key).title) for key in lost]

    notices.show_lost_figures(viewer, "targets", find)


def show_targets(viewer: Viewer) -> None:
    """Show each target with the gap to it, and the form that sets another."""
    st.caption(_("The most specific target applies: team, then queue, site, centre."))
    set_before, scopes = targets.find_all(viewer), targets.find_scopes(viewer)
    left, right = st.columns([7, 4])
    with left:
        if not set_before:
            st.caption(_("None yet."))
        for target in set_before:
            text, key = _describe_target(viewer, target), f"target_{target.id}"
            act = (Permission.EDIT_TARGETS, targets.remove, target.id)
            actions.show_removable(text, key, target.scope in scopes, *act)
    with right, st.container(border=True):
        if scopes:
            _ask_target(viewer, scopes)
        else:
            st.caption(_(NO_SCOPE))


def _ask_target(viewer: Viewer, scopes: tuple[Scope, ...]) -> None:
    kpis = {key: _(kpi.title) for key, kpi in _find_offered(viewer).items()}
    st.subheader(_("Set a target"), anchor=False)
    with st.form("target_form", border=False):
        kpi = layout.select(st, _("KPI"), kpis, "target_kpi")
        value = st.text_input(
            _("Should reach"),
            placeholder="85 %",
            help=_("Rates as 85 % or 0.85. Times in seconds."),
            key="target_value",
        )
        places = {scope: notes.name_scope(scope) for scope in scopes}
        scope = layout.select(st, _("Where?"), places, "target_scope")
        first, last = st.columns(2)
        from_day = layout.ask_day(first, _("From (empty: always)"), None, "target_from")
        to_day = layout.ask_day(last, _("To (empty: no end)"), None, "target_to")
        sent = st.form_submit_button(_("Add"), type="primary")
    if sent:
        with actions.perform(Permission.EDIT_TARGETS) as acting:
            targets.set_target(acting, kpi, value, *scope, dimensions.Period(from_day, to_day))


def _describe_target(viewer: Viewer, target: TargetValue) -> str:
    kpi = get_kpi(target.kpi)
    parts = [
        f"**{escape(_(kpi.title))}** {formatting.value(target.value, kpi.unit)}",
        escape(notes.name_scope(target.scope)),
        _describe_days(target),
        _describe_gap(viewer, target),
    ]
    return " · ".join(filter(None, parts))


def _describe_days(target: TargetValue) -> str:
    if target.starts_on and target.ends_on:
        return formatting.period(dimensions.Period(target.starts_on, target.ends_on))
    if target.starts_on:
        return _("from {day}", day=formatting.day(target.starts_on, year=True))
    if target.ends_on:
        return _("until {day}", day=formatting.day(target.ends_on, year=True))
    return _("always")


def _describe_gap(viewer: Viewer, target: TargetValue) -> str:
    """Describe how far the usual period is from a target in force."""
    kpi = get_kpi(target.kpi)
    span = query.data_span(viewer) if viewer.can(kpi.needs) else None
    if span is None or kpi.is_amount or not target.holds_on(environment.today()):
        return ""
    first_day, last_day = span
    if last_day < first_day:  # no complete month yet, for viewers of whole months
        return ""
    where = dimensions.Filters.of(
        periods.build_period(periods.default(viewer), last_day, first_day),
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
    """Show open and acknowledged alerts, and the rules."""
    text = _(
        "Rules are checked after each import. An alert stays open until enough periods in a "
        "row are clear."
    )
    st.caption(text)
    if viewer.can(Permission.SEE_ALERTS):
        open_alerts = cached.find_alerts(viewer)
        acknowledged = alerts.find_acknowledged(viewer)
        alert_banner.show_open(viewer, open_alerts, with_rule=True)
        for event, name in acknowledged:
            by = escape(_("Acknowledged by {name}", name=name))
            text = f":material/check: {alert_banner.describe(viewer, event)}  \n:gray[{by}]"
            st.markdown(text)
        if not open_alerts and not acknowledged:
            st.caption(_("No alert is open."))
    left, right = st.columns([7, 4])
    with left:
        _show_rules(viewer)
    if viewer.can(Permission.MANAGE_ALERTS):
        with right, st.container(border=True):
            st.subheader(_("Add a rule"), anchor=False)
            _ask_rule(viewer)
            if viewer.can(Permission.SEE_ALERTS):
                webhook.show(viewer)


def _show_rules(viewer: Viewer) -> None:
    st.subheader(_("Rules"), anchor=False)
    rules = alerts.find_rules(viewer)
    if not rules:
        st.caption(_("None yet."))
    for rule in rules:
        scope = _name_rule_scope((rule.dimension, rule.name))
        about = f"{scope} · {_(GRAINS[rule.grain])} · {alerts.describe_rule(rule)}"
        text = f"**{escape(_(get_kpi(rule.kpi).title))}** {escape(about)}"
        act = (Permission.MANAGE_ALERTS, alerts.end, rule.id)
        actions.show_removable(text, f"rule_{rule.id}", rule.is_mine, *act)
    if alerts.find_missing(viewer):
        layout.show_button(
            "playlist_add", _("Add the suggested rules"), "add_suggested", _add_suggested
        )


def _ask_rule(viewer: Viewer) -> None:
    offered = _find_offered(viewer)
    kpis = {key: _(kpi.title) for key, kpi in offered.items()}
    key = layout.select(st, _("KPI"), kpis, "rule_kpi")
    kinds = {kind: _(title) for kind, title in KINDS.items()}
    kind = layout.select(st, _("Alert when"), kinds, "rule_kind")
    side, value, count = None, "", 1
    if kind == RuleKind.THRESHOLD:
        first, second = st.columns(2)
        sides = {side: _(title) for side, title in SIDES.items()}
        side = layout.select(first, _("Side"), sides, "rule_side")
        value = second.text_input(
            _("Value"), help=_("Rates as 85 % or 0.85. Times in seconds."), key="rule_value"
        )
        count = st.number_input(_("Periods in a row"), 1, 12, 1, key="rule_periods")
    cuts = [name for name in alerts.DIMENSIONS if name in offered[key].dimensions]
    places = [scope for scope in targets.find_scopes(viewer) if scope[0] in cuts]
    scopes = [(None, None), *((dimension, None) for dimension in cuts), *places]
    titles = {scope: _name_rule_scope(scope) for scope in scopes}
    scope = layout.select(st, _("Where?"), titles, "rule_scope")
    first, second = st.columns(2)
    grains = {
        grain: _(title)
        for grain, title in GRAINS.items()
        if kind != RuleKind.CONTROL or grain != "day"
    }
    grain = layout.select(first, _("By"), grains, "rule_grain")
    clear_after = second.number_input(_("Close after clear periods"), 1, 12, 2, key="rule_clear")
    if st.button(_("Add"), type="primary", key="rule_add"):
        with actions.show_refusals():
            acting = gate.current_viewer(Permission.MANAGE_ALERTS)
            rule = Rule(key, kind, grain, *scope, side, None, int(count), int(clear_after))
            if kind == RuleKind.THRESHOLD:
                rule = replace(rule, threshold=targets.parse_value(get_kpi(key), value))
            alerts.add(acting, rule)
            after_import.do_due()
            actions.finish(alerts.describe_unjudged(rule) or _("Saved."))


def show_notes(viewer: Viewer) -> None:
    """Show the notes that the viewer may remove, and the form of a new one."""
    own_notes = [note for note in reversed(annotations.find(viewer)) if note.is_mine_to_remove]
    left, right = st.columns([7, 4])
    with left:
        if not own_notes:
            st.caption(_("None yet."))
        notes.show_list(own_notes, "page")
    with right, st.container(border=True):
        st.subheader(_("Add a note"), anchor=False)
        scopes = annotations.find_scopes(viewer)
        if scopes:
            notes.ask(scopes, "page", environment.today())
        else:
            st.caption(_(NO_SCOPE))


def _find_offered(viewer: Viewer) -> dict[str, Kpi]:
    ordered = sorted(ALL, key=lambda kpi: _(kpi.title))
    return {kpi.key: kpi for kpi in ordered if targets.may_set_kpi(viewer, kpi)}


def _name_rule_scope(scope: Scope) -> str:
    dimension, name = scope
    if dimension is None or name is not None:
        return notes.name_scope(scope)
    return _("Each value of: {dimension}", dimension=formatting.dimension(dimension))


def _add_suggested() -> None:
    alerts.add_suggested(gate.current_viewer(Permission.MANAGE_ALERTS))
    after_import.do_due()
