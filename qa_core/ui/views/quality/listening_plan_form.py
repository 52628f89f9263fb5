"""The form that makes a listening plan; every fault is said beside it, by its field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.compliance import gates
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.dimensions import add_months
from qa_core.metrics.query import scorecard_texts
from qa_core.metrics.query.sampling_frame import DIMENSIONS, FILTERS
from qa_core.quality import sampling
from qa_core.quality.sampling import labels
from qa_core.ui import cached

USUAL_DISPUTE_DAYS = 14
FIELDS = {
    "name": N_("Name"),
    "purpose": N_("Purpose"),
    "grid": N_("Grid"),
    "from": N_("First day of contacts"),
    "to": N_("Last day of contacts"),
    "due": N_("To be done by"),
    "per_advisor": N_("Contacts per advisor"),
    "maximum_per_advisor": N_("At most per advisor"),
    "evaluators": N_("Evaluators"),
    "minimum_seconds": N_("Shortest call, in seconds"),
    "maximum_seconds": N_("Longest call, in seconds"),
}
"""What the fields of a plan's file are called here: a fault is said by the name that
stands above the field.
"""


def ask(viewer: Viewer, change: Callable[..., None], has_plans: bool) -> None:
    """Make a plan; open by itself while there is none."""
    choices, texts = sampling.find_choices(viewer), scorecard_texts.find_grid_texts(viewer)
    evaluators = dict(choices["evaluators"])
    grid_titles = {key: texts.name("grid", title) for key, title in choices["grids"]}
    first = environment.today().replace(day=1)
    with st.expander(_("Make a plan"), icon=":material/add:", expanded=not has_plans):
        if not evaluators:
            st.info(
                _(
                    "Nobody here fills in grids yet: an administrator adds an account with the "
                    "role of an evaluator, under People."
                )
            )
            return
        with st.form("listening_plan", border=False):
            one, two, three = st.columns(3)
            name = one.text_input(_("Name"), max_chars=80, placeholder=f"{first:%Y-%m}")
            purpose = two.selectbox(_("Purpose"), gates.PURPOSES, format_func=labels.purpose_title)
            grid = three.selectbox(
                _("Grid"), list(grid_titles), format_func=lambda key: grid_titles[key]
            )
            one, two, three = st.columns(3)
            starts = one.date_input(_("First day of contacts"), first, format="DD/MM/YYYY")
            ends = two.date_input(
                _("Last day of contacts"),
                add_months(first, 1) - timedelta(days=1),
                format="DD/MM/YYYY",
            )
            due = three.date_input(
                _("To be done by"), add_months(first, 1) + timedelta(days=4), format="DD/MM/YYYY"
            )
            one, two, three = st.columns(3)
            each = one.number_input(_("Contacts per advisor"), 1, 1000, 4)
            counted = _(
                "Listened to in the months that the period touches, all plans together: the "
                "law knows no permanent listening."
            )
            most = two.number_input(_("At most per advisor"), 1, 1000, 6, help=counted)
            listeners = three.multiselect(
                _("Evaluators"),
                list(evaluators),
                format_func=lambda key: evaluators[key],
                placeholder=_("Choose people"),
            )
            with st.expander(
                _("More: which contacts, how they are spread, when results are read"),
                icon=":material/tune:",
            ):
                content = _ask_more(viewer)
            sent = st.form_submit_button(_("Make the plan"), type="primary")
    if sent:
        content |= {
            "name": name,
            "purpose": purpose,
            "grid": grid,
            "from": starts,
            "to": ends,
            "evaluators": list(listeners),
        }
        content |= {"per_advisor": int(each), "maximum_per_advisor": int(most)}
        content |= {"due": due} if due else {}
        change(
            lambda viewer: _add(viewer, content),
            lambda _id: _("The plan is made. Draw its contacts now."),
        )


def _add(viewer: Viewer, content: dict[str, Any]) -> int:
    try:
        return sampling.add_plan(viewer, content)
    except Refusal as refusal:
        field = FIELDS.get(refusal.params.get("field", ""))
        if refusal.code != "bad_plan" or field is None:
            raise
        expected = refusal.params["expected"]
        for name in ("maximum_per_advisor", "per_advisor", "minimum_seconds"):
            expected = expected.replace(name, f"“{_(FIELDS[name])}”")
        raise Refusal(
            "bad_plan", N_("“{field}”: {expected}"), field=_(field), expected=expected
        ) from refusal


def _ask_more(viewer: Viewer) -> dict[str, Any]:
    """What a plan may leave out, as its file would say it; a field left empty is not
    said.
    """
    content: dict[str, Any] = {}
    for place, dimension in zip(st.columns(len(FILTERS)), FILTERS, strict=True):
        known = (
            sorted(viewer.teams)
            if dimension == "team"
            else [
                value
                for value, _count in cached.find_values(viewer, dimension)
                if value is not None
            ]
        )
        title = _(dimensions.get_dimension(dimension).title)
        content[dimension] = place.multiselect(
            title,
            known,
            format_func=lambda value, of=dimension: formatting.name(of, value),
            placeholder=_("All"),
        )
    one, two, three = st.columns(3)
    content["minimum_seconds"] = one.number_input(_("Shortest call, in seconds"), 0, 86_400, 30)
    content["maximum_seconds"] = two.number_input(
        _("Longest call, in seconds"), 1, 86_400, None, placeholder=_("Any")
    )
    content["most_per_evaluator"] = three.number_input(
        _("At most per evaluator"), 1, 100_000, None, placeholder=_("Any")
    )
    one, two, three = st.columns(3)
    strata = one.multiselect(
        _("Spread over"),
        DIMENSIONS,
        ["channel", "weekday"],
        format_func=labels.dimension_title,
        help=_("In each advisor's own proportions."),
    )
    days = two.number_input(_("Advisors see results after so many days"), 0, 365, 0)
    dispute_days = three.number_input(
        _("Advisors may dispute for so many days"), 0, 365, USUAL_DISPUTE_DAYS
    )
    said = {name: value for name, value in content.items() if value}
    return said | {"strata": strata, "publish_after_days": days, "dispute_days": dispute_days}
