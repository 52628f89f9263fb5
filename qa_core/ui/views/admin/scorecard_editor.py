"""A draft as tables to write in: whole, sections, criteria; its publication."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import CheckboxColumn, NumberColumn, SelectboxColumn, TextColumn

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, format_refusal
from qa_core.quality import scorecards
from qa_core.quality.scorecards import Fault, StoredScorecard, table
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards

PLACE = "place"
ROW_HEIGHT, TALLEST = 35, 900
CRITICAL = {"customer": N_("customer"), "business": N_("business"), "compliance": N_("compliance")}
FAILS = {"grid": N_("the whole scorecard"), "section": N_("its section")}
OPENED = "scorecards_opened"
"""Number of the draft or version that the next run shows."""


def show(stored: StoredScorecard) -> dict[str, Any]:
    """Show the editor; return the scorecard as it is written now, saved or not."""
    # A newer edition starts from what was saved: what the tables hold belongs to the
    # edition they were filled from.
    key = f"{stored.id}_{stored.edition}"
    header = _ask_header(stored.content, key)
    sections = _ask_sections(stored.content, key)
    criteria = _ask_criteria(stored.content, [row["section"] for row in sections], key)
    content = _put_together(header, sections, criteria)
    with layout.row():
        if st.button(_("Save"), type="primary", icon=":material/save:", key=f"save_{key}"):
            with actions.perform(Permission.EDIT_SCORECARDS) as acting:
                scorecards.save_draft(acting, stored.id, stored.edition, content)
                st.session_state[OPENED] = stored.id
        with st.popover(_("Delete"), icon=":material/delete:", type="tertiary"):
            st.caption(_("The draft is deleted for good. Published versions stay."))
            if st.button(_("Delete"), key=f"drop_{key}"):
                with actions.perform(Permission.EDIT_SCORECARDS) as acting:
                    scorecards.delete_draft(acting, stored.id)
        saved = [{**row, "was": row["section"]} for row in table.to_sections(stored.content)]
        before = (table.to_header(stored.content), saved, _saved_criteria(stored.content))
        if content != _put_together(*before):
            st.caption(_("Not saved yet."))
    return content


def show_faults(faults: Sequence[Fault]) -> None:
    """Show the faults that prevent publication, each with its section and criterion."""
    if not faults:
        return
    lines = [f"- {_name_place(fault)}{escape(format_refusal(fault.refusal))}" for fault in faults]
    st.warning("\n".join((_("Before you can publish:"), *lines)), icon=":material/rule:")


def _name_place(fault: Fault) -> str:
    if fault.section is None:
        return ""
    numbers = {_("Section"): fault.section, _("Criterion"): fault.criterion}
    parts = [f"{title} {number}" for title, number in numbers.items() if number is not None]
    return f"**{' · '.join(parts)}.** "


def _ask_header(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    given = table.to_header(content)
    left, middle, right = st.columns(3)
    methods = {str(method): _(table.METHODS[method]) for method in scoring.Method}
    pass_mark, bonus_cap = _float(given["pass_mark"]), _float(given["bonus_cap"]) or 100.0
    whole = {"step": 1.0, "format": "%g"}
    return {
        "title": left.text_input(_("Title"), str(given["title"]), key=f"title_{key}"),
        "title_fr": middle.text_input(
            _("Title (French)"), given["title_fr"], key=f"title_fr_{key}"
        ),
        "title_en": right.text_input(
            _("Title (English)"), given["title_en"], key=f"title_en_{key}"
        ),
        "method": layout.select(
            left, _("How points become a score"), methods, f"method_{key}", given["method"]
        ),
        "pass_mark": middle.number_input(
            _("Pass mark (empty: none)"), value=pass_mark, key=f"pass_{key}", **whole
        ),
        "bonus_cap": right.number_input(
            _("Highest score"), value=bonus_cap, key=f"cap_{key}", **whole
        ),
    }


def _ask_sections(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the sections in order, each with `was`: its name as saved (None: new)."""
    saved = table.to_sections(content)
    st.markdown("##### " + _("Sections"))
    columns = {
        PLACE: _place_column(),
        "section": TextColumn(_("Section"), required=True, width=170),
        "section_fr": TextColumn(_("Section (French)"), width=190),
        "section_en": TextColumn(_("Section (English)"), width=190),
        "weight": NumberColumn(
            _("Section weight"), min_value=0.0, default=1.0, width=90, format="%g"
        ),
    }
    rows = [{PLACE: position, **row} for position, row in enumerate(saved, start=1)]
    frame = _numbers(pd.DataFrame(rows, columns=[*columns]), PLACE, "weight")
    written = _edit(frame, columns, f"sections_{key}")
    names = dict(enumerate(row["section"] for row in saved))
    return _in_order([{**row, "was": names.get(index)} for index, row in written])


def _ask_criteria(
    content: Mapping[str, Any], names: Sequence[Any], key: str
) -> list[dict[str, Any]]:
    """Return the criteria in their order. `names`: the sections as they are written now."""
    st.markdown("##### " + _("Criteria"))
    text = _(
        "Change the number to move a row, or choose another section. Write levels as 0; 1; 2. "
        "An empty key is made from the text."
    )
    st.caption(text)
    saved = _saved_criteria(content)
    written = (str(name) for name in names if not table.is_blank(name))
    known = list(dict.fromkeys([*written, *(str(row["section"]) for row in saved)]))
    columns = {
        PLACE: _place_column(),
        "section": SelectboxColumn(
            _("Section"),
            options=known,
            width=130,
            required=True,
            default=known[0] if known else None,
        ),
        "key": TextColumn(_("Key"), width=110),
        "fr": TextColumn(_("Criterion (French)"), width=230),
        "en": TextColumn(_("Criterion (English)"), width=230),
        "help_fr": TextColumn(_("Guidance (French)"), width=170),
        "help_en": TextColumn(_("Guidance (English)"), width=170),
        "points": NumberColumn(_("Points"), min_value=0.0, width=70, format="%g"),
        "levels": TextColumn(_("Levels"), width=100),
        "not_applicable": CheckboxColumn(_("N/A allowed"), width=80, default=False),
        "critical": SelectboxColumn(
            _("Critical for"), options=list(CRITICAL), format_func=_titles(CRITICAL), width=110
        ),
        "fails": SelectboxColumn(
            _("0 fails"), options=list(FAILS), format_func=_titles(FAILS), width=120
        ),
        "bonus": CheckboxColumn(_("Bonus"), width=70, default=False),
    }
    frame = _numbers(pd.DataFrame(saved, columns=[*columns]), PLACE, "points")
    for flag in ("not_applicable", "bonus"):
        frame[flag] = [value is True for value in frame[flag]]
    return _in_order([row for _index, row in _edit(frame, columns, f"criteria_{key}")])


def _edit(
    frame: pd.DataFrame, columns: Mapping[str, Any], key: str
) -> list[tuple[Any, dict[str, Any]]]:
    """Show a table to write in; return its rows with their index, None where blank."""
    given = st.data_editor(
        frame,
        column_config=dict(columns),
        num_rows="dynamic",
        hide_index=True,
        # Room for every line, a few new ones, and the bar that scrolls sideways.
        height=min(TALLEST, ROW_HEIGHT * (len(frame) + 4)),
        key=key,
    )
    rows = given.astype(object).to_dict("records")
    return [
        (
            index,
            {
                name: None if table.is_blank(value) or value is pd.NA else value
                for name, value in row.items()
            },
        )
        for index, row in zip(given.index.tolist(), rows, strict=True)
    ]


def _put_together(
    header: Mapping[str, Any],
    sections: Sequence[Mapping[str, Any]],
    criteria: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Build the scorecard; a criterion of a section that was renamed follows it, one of a
    section that is gone waits at the end under its name.
    """
    now = {str(row["section"]): position for position, row in enumerate(sections)}
    renamed = {str(row["was"]): position for position, row in enumerate(sections) if row.get("was")}
    parts: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = [(row, []) for row in sections]
    lost: dict[str, list[Mapping[str, Any]]] = {}
    for row in criteria:
        name = "" if table.is_blank(row["section"]) else str(row["section"])
        position = now.get(name, renamed.get(name))
        (parts[position][1] if position is not None else lost.setdefault(name, [])).append(row)
    parts += [({"section": name}, rows) for name, rows in lost.items()]
    return table.to_content(header, parts)


def _saved_criteria(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"section": str(name["section"]), **row}
        for name, section in zip(
            table.to_sections(content), content.get("section", []), strict=False
        )
        for row in table.to_criteria(section)
    ]
    return [{PLACE: position, **row} for position, row in enumerate(rows, start=1)]


def _in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by place, lines without one at the end; equals keep their order."""
    return sorted(rows, key=lambda row: (row[PLACE] is None, row[PLACE] or 0.0))


def _numbers(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(
        **{name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in names}
    )


def _float(value: Any) -> float | None:
    number = table.to_number(value)
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if is_number else None


def _place_column() -> Any:
    return NumberColumn(_("No."), width=60, format="%g")


def _titles(words: Mapping[str, str]) -> Callable[[str], str]:
    return lambda code: _(words[code]) if code in words else str(code)


def show_publication(viewer: Viewer, stored: StoredScorecard) -> None:
    """Show the button that publishes the draft, to those who may."""
    if not viewer.can(Permission.PUBLISH_SCORECARDS):
        return
    published = [
        known.version
        for known in scorecards.find_all(viewer)
        if known.key == stored.key and not known.is_draft
    ]
    with cards.card(gap="small"):
        if st.button(
            _("Publish as version {version}", version=max(published, default=0) + 1),
            type="primary",
            icon=":material/publish:",
            key=f"publish_{stored.id}_{stored.edition}",
        ):
            with actions.perform(Permission.PUBLISH_SCORECARDS) as acting:
                scorecards.publish(acting, stored.id, stored.edition)
                st.session_state[OPENED] = stored.id
        text = _(
            "New evaluations will use this version, which never changes. Earlier evaluations "
            "keep theirs."
        )
        st.caption(text)
