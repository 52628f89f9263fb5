"""Drawing for a plan: what would come out, the draws that were made, and whether each
was fair.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import charts
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.query.sampling_frame import DIMENSIONS, REASONS
from qa_core.quality import sampling
from qa_core.quality.sampling import PlanState, StoredDraw, labels
from qa_core.quality.sampling.fairness import Fairness
from qa_core.ui import cards, gate, tables
from qa_core.ui.plain import escape

SEED, PLAN, TRIED = "listening_seed", "listening_plan_drawn", "listening_tried"
NAMED = 12
HIGHEST = 999_999
"""Of the seeds proposed here: easy to read out and to write down."""


def show(viewer: Viewer, plans: Sequence[PlanState], change: Callable[..., None]) -> None:
    """Choose plan and seed, try, draw; below, the draws that were made."""
    drawable = [plan.name for plan in plans if not plan.is_closed and plan.purpose != "targeted"]
    named = [plan.name for plan in plans if plan.purpose != "targeted"]
    if not named:
        st.info(_("There is no plan that contacts are drawn for; make one under Plans."))
        return
    st.session_state.setdefault(SEED, secrets.randbelow(HIGHEST) + 1)
    with st.container(border=True, gap="small"):
        one, two, three, four = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
        name = one.selectbox(_("Plan"), named, key=PLAN)
        seed = two.number_input(
            _("Seed"),
            min_value=0,
            step=1,
            key=SEED,
            help=_(
                "Chosen by chance, and yours to change. With it anybody can make the same draw "
                "again."
            ),
        )
        if three.button(
            _("Try it"),
            icon=":material/visibility:",
            width="stretch",
            disabled=name not in drawable,
        ):
            st.session_state[TRIED] = (name, int(seed))
        sent = four.button(
            _("Draw"),
            type="primary",
            icon=":material/casino:",
            width="stretch",
            disabled=name not in drawable,
        )
        if sent:
            st.session_state.pop(TRIED, None)
        if name not in drawable:
            st.caption(_("This plan is closed: nothing more is drawn for it."))
        if st.session_state.get(TRIED) == (name, int(seed)):
            _show_preview(viewer, name, int(seed))
    if sent:
        change(
            lambda viewer: sampling.draw(viewer, name, int(seed)),
            lambda result: ngettext(
                "{n} contact is drawn and given out.",
                "{n} contacts are drawn and given out.",
                len(result.drawn),
            ),
        )
    found = sampling.find_draws(viewer, name)
    for position, stored in enumerate(found):
        _show_stored(stored, is_newest=position == 0)


def _show_preview(viewer: Viewer, name: str, seed: int) -> None:
    try:
        result = sampling.draw(viewer, name, seed, dry_run=True)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    drawn = len(result.drawn)
    st.markdown("**" + _describe_drawn(drawn, result.frame) + "**")
    if not drawn:
        st.caption(_("Nobody lacks a contact that could be drawn."))
    _show_excluded(result.excluded, result.frame, "preview")
    _show_short({result.name_of(advisor): missing for advisor, missing in result.short.items()})


def _describe_drawn(drawn: int, frame: int) -> str:
    return ngettext(
        "{n} contact drawn, from {frame} that may be listened to",
        "{n} contacts drawn, from {frame} that may be listened to",
        drawn,
        frame=formatting.number(frame),
    )


def _show_excluded(excluded: Mapping[str, int], frame: int, key: str) -> None:
    st.caption(
        _("Every contact of the period is in the frame, or outside for the first of these reasons.")
    )
    rows = [
        (_("may be listened to"), frame),
        *((_(REASONS[reason]), count) for reason, count in excluded.items()),
    ]
    most, why, count = max(number for _name, number in rows) or 1, _("Why"), _("Contacts")
    config = {
        why: tables.name_column(why, 215),
        count: st.column_config.ProgressColumn(
            count, format="localized", min_value=0, max_value=most, width=150
        ),
    }
    tables.show(
        [{why: name, count: number} for name, number in rows], config, f"excluded_{key}", height=420
    )


def _show_short(short: Mapping[str, int]) -> None:
    if not short:
        return
    total = sum(short.values())
    worst = sorted(short.items(), key=lambda entry: (-entry[1], entry[0]))
    names = formatting.listing(
        [
            *(f"{name} ({missing})" for name, missing in worst[:NAMED]),
            *(["…"] if len(worst) > NAMED else []),
        ]
    )
    said = ngettext(
        "{n} contact is missing: {names}", "{n} contacts are missing: {names}", total, names=names
    )
    st.caption(":material/person_alert: " + escape(said))


def _show_stored(stored: StoredDraw, is_newest: bool) -> None:
    title = _("Draw of {moment}", moment=formatting.moment(environment.to_local(stored.drawn_at)))
    with st.expander(f"{title} · " + _("seed {seed}", seed=stored.seed), expanded=is_newest):
        st.markdown("**" + _describe_drawn(stored.drawn, stored.frame) + "**")
        st.caption(escape(_("by {name}", name=stored.drawn_by)))
        if st.button(
            _("Verify"),
            icon=":material/fact_check:",
            key=f"verify_{stored.id}",
            help=_("Make the draw again, as things stood, and compare."),
        ):
            _verify(stored)
        left, right = st.columns(2, gap="medium")
        with left:
            _show_excluded(stored.excluded, stored.frame, str(stored.id))
            _show_short(stored.short)
        with right:
            _show_fairness(stored)


def _verify(stored: StoredDraw) -> None:
    try:
        told = sampling.verify(gate.current_viewer(Permission.MANAGE_LISTENING), stored.id)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    causes = formatting.listing(labels.cause_title(cause) for cause in told.causes)
    if told.is_same and not told.causes:
        st.success(
            _("The same: made again, the draw gives the same list from the same frame."),
            icon=":material/verified:",
        )
    elif told.is_same:
        st.success(
            _("The same list, although something changed: {causes}.", causes=causes),
            icon=":material/verified:",
        )
    else:
        frames = {
            "then": formatting.number(told.frame_then),
            "now": formatting.number(told.frame_now),
        }
        said = _(
            "Another list comes out today: {causes}. The frame was {then}, now {now}.",
            causes=causes,
            **frames,
        )
        st.warning(escape(said), icon=":material/difference:")


def _show_fairness(stored: StoredDraw) -> None:
    st.markdown("**" + _("Was the sample fair?") + "**")
    if not stored.shares:
        st.caption(_("Nothing was drawn."))
        return
    dimensions = {entry.dimension: entry for entry in stored.shares}
    chosen = st.segmented_control(
        _("By"),
        list(dimensions),
        format_func=labels.dimension_title,
        default=next(
            (name for name, entry in dimensions.items() if entry.p_value is not None), DIMENSIONS[0]
        ),
        key=f"fair_{stored.id}",
        label_visibility="collapsed",
        required=True,
    )
    entry = dimensions[chosen]
    st.caption(_describe_fairness(entry))
    if entry.p_value is None:
        return
    drawn = sum(share.drawn for share in entry.shares) or 1
    rows = [
        {
            "key": share.value,
            "label": labels.value_title(chosen, share.value),
            "value": share.drawn / drawn,
            "low": None,
            "high": None,
            "n": share.drawn,
            "chance_low": max(0.0, (share.expected - 1.96 * share.deviation) / drawn),
            "chance_high": min(1.0, (share.expected + 1.96 * share.deviation) / drawn),
        }
        for share in entry.shares
    ]
    figure = charts.build_dots(pd.DataFrame(rows), "rate", dark=cards.is_dark(), bounds=(0, 1))
    cards.show_figure(
        figure,
        f"fair_figure_{stored.id}",
        _("Shares in the sample, and where chance alone would put them."),
    )
    st.caption(
        _(
            "Dots: shares in the sample. Grey: where chance alone puts 95 % of samples. Each "
            "advisor gives the same number, so a busy one weighs "
            "no more than another: the sample is held against each advisor's own contacts, not "
            "against the centre's mix."
        )
    )


def _describe_fairness(entry: Fairness) -> str:
    if entry.p_value is None:
        return _("All of these are alike, or all contacts were drawn: nothing could differ.")
    by = (
        _("by {n} simulated draws", n=formatting.number(2000))
        if entry.is_simulated
        else _("by a chi-square test")
    )
    if entry.p_value < 0.001:
        return ":orange[:material/error:] " + _(
            "Chance alone gives a sample as far off in fewer than 1 draw of 1,000 ({by}): look "
            "at what went wrong.",
            by=by,
        )
    if entry.p_value < 0.05:
        return _(
            "Chance alone gives a sample as far off in {n} of 100 draws ({by}): of five such "
            "comparisons one now and then looks so.",
            n=max(1, round(100 * entry.p_value)),
            by=by,
        )
    return ":green[:material/check_circle:] " + _(
        "Nothing unusual: chance alone gives a sample at least as far off in {n} of 100 draws "
        "({by}).",
        n=round(100 * entry.p_value),
        by=by,
    )
