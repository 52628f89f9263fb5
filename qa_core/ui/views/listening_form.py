"""The form that makes a listening plan; every fault is said beside it, by its field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core import home, sampling
from qa_core.access import Viewer
from qa_core.compliance import gates
from qa_core.query.listening import DIMENSIONS
from qa_core.sampling import words
from qa_core.slices import add_months
from qa_core.wording import _


def ask(viewer: Viewer, change: Callable[..., None], has_plans: bool) -> None:
    """Make a plan; open by itself while there is none."""
    choices = sampling.find_choices(viewer)
    evaluators, grids = dict(choices["evaluators"]), dict(choices["grids"])
    first = home.today().replace(day=1)
    with st.expander(_("Make a plan"), icon=":material/add:", expanded=not has_plans):
        if not evaluators:
            st.info(_("Nobody here fills in grids yet: an administrator adds an account with the role of an evaluator, under People."))
            return
        with st.form("listening_plan", border=False):
            one, two, three = st.columns(3)
            name = one.text_input(_("Name"), max_chars=80, placeholder=f"{first:%Y-%m}")
            purpose = two.selectbox(_("Purpose"), gates.PURPOSES, format_func=words.purpose_title)
            grid = three.selectbox(_("Grid"), list(grids), format_func=lambda key: grids[key])
            starts = one.date_input(_("First day of contacts"), first, format="DD/MM/YYYY")
            ends = two.date_input(_("Last day of contacts"), add_months(first, 1) - timedelta(days=1), format="DD/MM/YYYY")
            due = three.date_input(_("To be done by"), add_months(first, 1) + timedelta(days=4), format="DD/MM/YYYY")
            each = one.number_input(_("Contacts per advisor"), 1, 1000, 4)
            counted = _("Listened to in the months that the period touches, all plans together: the law knows no permanent listening.")
            most = two.number_input(_("At most per advisor"), 1, 1000, 6, help=counted)
            listeners = three.multiselect(_("Evaluators"), list(evaluators), format_func=lambda key: evaluators[key])
            strata = one.multiselect(
                _("Spread over"), DIMENSIONS, ["channel", "weekday"], format_func=words.dimension_title, help=_("In each advisor's own proportions.")
            )
            shortest = two.number_input(_("Shortest call, in seconds"), 0, 86_400, 30)
            days = three.number_input(_("Advisors see results after so many days"), 0, 365, 0)
            sent = st.form_submit_button(_("Make the plan"), type="primary")
    if sent:
        content: dict[str, Any] = {"name": name, "purpose": purpose, "grid": grid, "from": starts, "to": ends, "per_advisor": int(each)}
        content |= {"maximum_per_advisor": int(most), "strata": list(strata), "evaluators": list(listeners), "publish_after_days": int(days)}
        content |= {"minimum_seconds": int(shortest)} if shortest else {}
        content |= {"due": due} if due else {}
        change(lambda viewer: sampling.add_plan(viewer, content), lambda _id: _("The plan is made. Draw its contacts under Draws."))
