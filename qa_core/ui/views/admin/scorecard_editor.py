"""A draft as tables to write in: the grid as a whole, its sections, and its criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, format_refusal
from qa_core.quality import scorecards
from qa_core.quality.scorecards import Fault, ScorecardDraft, table
from qa_core.quality.scorecards.publication import METHODS
from qa_core.ui import gate
from qa_core.ui.views.admin import scorecard_changes

PLACE = "place"
ROW_HEIGHT, TALLEST = 35, 900
CRITICAL = {"customer": N_("customer"), "business": N_("business"), "compliance": N_("compliance")}
FAILS = {"grid": N_("the whole grid"), "section": N_("its section")}


def show(viewer: Viewer, held: ScorecardDraft) -> dict[str, Any]:
    """The editor; returns the grid as it is written now, saved or not."""
    # A newer edition starts from what was saved: what the tables hold belongs to the
    # edition they were filled from.
    key = f"{held.id}_{held.edition}"
    header = _ask_header(held.content, key)
    sections = _ask_sections(held.content, key)
    criteria = _ask_criteria(held.content, [row["section"] for row in sections], key)
    content = _put_together(header, sections, criteria, held)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            _("Save the draft"), type="primary", icon=":material/save:", key=f"save_{key}"
        ):
            _save(held, content)
        with st.popover(_("Drop the draft"), icon=":material/delete:", type="tertiary"):
            st.caption(_("The draft is gone for good; published versions stay."))
            if st.button(_("Drop it"), key=f"drop_{key}"):
                _drop(held)
        if content != _put_together(*_as_saved(held.content), held):
            st.caption(_("Not saved yet."))
    return content


def show_faults(faults: Sequence[Fault]) -> None:
    """What keeps the grid from being published, each with its place."""
    if not faults:
        return
    lines = []
    for fault in faults:
        where = ""
        if fault.section is not None:
            where = _("Section {section}", section=fault.section)
            if fault.criterion is not None:
                where = _(
                    "Section {section}, criterion {criterion}",
                    section=fault.section,
                    criterion=fault.criterion,
                )
            where = f"**{where}.** "
        lines.append(f"- {where}{gate.escape(format_refusal(fault.refusal))}")
    st.warning(_("Not yet to be published:") + "\n" + "\n".join(lines), icon=":material/rule:")


def _ask_header(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    given = table.to_header(content)
    one, two, three = st.columns(3)
    methods = [str(method) for method in scoring.Method]
    return {
        "title": one.text_input(_("Title"), str(given["title"]), key=f"title_{key}"),
        "title_fr": two.text_input(_("Title (French)"), given["title_fr"], key=f"title_fr_{key}"),
        "title_en": three.text_input(
            _("Title (English)"), given["title_en"], key=f"title_en_{key}"
        ),
        "method": one.selectbox(
            _("How points become a score"),
            methods,
            index=methods.index(given["method"]) if given["method"] in methods else 0,
            format_func=lambda code: _(METHODS[scoring.Method(code)]),
            key=f"method_{key}",
        ),
        "pass_mark": two.number_input(
            _("Pass mark (empty: none)"),
            value=_float(given["pass_mark"]),
            step=1.0,
            format="%g",
            key=f"pass_{key}",
        ),
        "bonus_cap": three.number_input(
            _("Highest score"),
            value=_float(given["bonus_cap"]) or 100.0,
            step=1.0,
            format="%g",
            key=f"cap_{key}",
        ),
    }


def _ask_sections(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The sections in their order, each with `was`: its name as it was saved (None:
    new).
    """
    saved = table.to_sections(content)
    st.markdown("##### " + _("Sections"))
    frame = pd.DataFrame(
        [{PLACE: place, **row} for place, row in enumerate(saved, start=1)],
        columns=[PLACE, "section", "section_fr", "section_en", "weight"],
    )
    given = st.data_editor(
        _numbers(frame, PLACE, "weight"),
        column_config={
            PLACE: _place_column(),
            "section": st.column_config.TextColumn(_("Section"), required=True, width=170),
            "section_fr": st.column_config.TextColumn(_("Section (French)"), width=190),
            "section_en": st.column_config.TextColumn(_("Section (English)"), width=190),
            "weight": st.column_config.NumberColumn(
                _("Section weight"), min_value=0.0, default=1.0, width=90, format="%g"
            ),
        },
        num_rows="dynamic",
        hide_index=True,
        height=_height(len(frame)),
        key=f"sections_{key}",
    )
    rows = [
        {
            **row,
            "was": saved[index]["section"]
            if isinstance(index, int) and index < len(saved)
            else None,
        }
        for index, row in _records(given)
    ]
    return _in_order(rows)


def _ask_criteria(
    content: Mapping[str, Any], names: Sequence[Any], key: str
) -> list[dict[str, Any]]:
    st.markdown("##### " + _("Criteria"))
    st.caption(
        _(
            "The number says the place: change it to move a line, or choose another section. "
            "Levels as 0; 1; 2. A key that is empty is made of the text."
        )
    )
    saved = _saved_criteria(content)
    columns = [
        PLACE,
        "section",
        "key",
        "fr",
        "en",
        "help_fr",
        "help_en",
        "points",
        "levels",
        "not_applicable",
        "critical",
        "fails",
        "bonus",
    ]
    frame = _numbers(pd.DataFrame(saved, columns=columns), PLACE, "points")
    for flag in ("not_applicable", "bonus"):
        frame[flag] = [value is True for value in frame[flag]]
    known = list(
        dict.fromkeys(
            [
                *(str(name) for name in names if not table.is_blank(name)),
                *(str(row["section"]) for row in saved),
            ]
        )
    )
    given = st.data_editor(
        frame,
        column_config={
            PLACE: _place_column(),
            "section": st.column_config.SelectboxColumn(
                _("Section"),
                options=known,
                width=130,
                required=True,
                default=known[0] if known else None,
            ),
            "key": st.column_config.TextColumn(_("Key"), width=110),
            "fr": st.column_config.TextColumn(_("Criterion (French)"), width=230),
            "en": st.column_config.TextColumn(_("Criterion (English)"), width=230),
            "help_fr": st.column_config.TextColumn(_("Guidance (French)"), width=170),
            "help_en": st.column_config.TextColumn(_("Guidance (English)"), width=170),
            "points": st.column_config.NumberColumn(
                _("Points"), min_value=0.0, width=70, format="%g"
            ),
            "levels": st.column_config.TextColumn(_("Levels"), width=100),
            "not_applicable": st.column_config.CheckboxColumn(
                _("N/A allowed"), width=80, default=False
            ),
            "critical": st.column_config.SelectboxColumn(
                _("Critical for"), options=list(CRITICAL), format_func=_titles(CRITICAL), width=110
            ),
            "fails": st.column_config.SelectboxColumn(
                _("0 fails"), options=list(FAILS), format_func=_titles(FAILS), width=120
            ),
            "bonus": st.column_config.CheckboxColumn(_("Bonus"), width=70, default=False),
        },
        num_rows="dynamic",
        hide_index=True,
        height=_height(len(frame)),
        key=f"criteria_{key}",
    )
    return _in_order([row for _index, row in _records(given)])


def _put_together(
    header: Mapping[str, Any],
    sections: Sequence[Mapping[str, Any]],
    criteria: Sequence[Mapping[str, Any]],
    held: ScorecardDraft,
) -> dict[str, Any]:
    """The grid; a criterion of a section that was renamed follows it, one of a section
    that is gone waits at the end under its name.
    """
    now = {str(row["section"]): place for place, row in enumerate(sections)}
    renamed = {str(row["was"]): place for place, row in enumerate(sections) if row.get("was")}
    parts: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = [(row, []) for row in sections]
    lost: dict[str, list[Mapping[str, Any]]] = {}
    for row in criteria:
        name = "" if table.is_blank(row["section"]) else str(row["section"])
        place = now.get(name, renamed.get(name))
        (parts[place][1] if place is not None else lost.setdefault(name, [])).append(row)
    parts += [({"section": name}, rows) for name, rows in lost.items()]
    return table.to_content(header, parts)


def _as_saved(
    content: Mapping[str, Any],
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """What the editor holds before anything is changed in it."""
    sections = [{**row, "was": row["section"]} for row in table.to_sections(content)]
    return table.to_header(content), sections, _saved_criteria(content)


def _saved_criteria(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"section": str(name["section"]), **row}
        for name, section in zip(
            table.to_sections(content), content.get("section", []), strict=False
        )
        for row in table.to_criteria(section)
    ]
    return [{PLACE: place, **row} for place, row in enumerate(rows, start=1)]


def _save(held: ScorecardDraft, content: Mapping[str, Any]) -> None:
    try:
        scorecards.save_draft(
            gate.current_viewer(Permission.EDIT_GRIDS), held.id, held.edition, content
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    scorecard_changes.open_next(held.id, _("The draft is saved."))


def _drop(held: ScorecardDraft) -> None:
    try:
        scorecards.delete_draft(gate.current_viewer(Permission.EDIT_GRIDS), held.id)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    scorecard_changes.open_next(None, _("The draft is dropped."))


def _records(frame: pd.DataFrame) -> list[tuple[Any, dict[str, Any]]]:
    return [
        (
            index,
            {
                name: None if table.is_blank(value) or value is pd.NA else value
                for name, value in row.items()
            },
        )
        for index, row in zip(
            frame.index.tolist(), frame.astype(object).to_dict("records"), strict=True
        )
    ]


def _in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their place; a new line without one stands at the end, and of equals the one
    that stood first.
    """
    return sorted(rows, key=lambda row: (row[PLACE] is None, row[PLACE] or 0.0))


def _numbers(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(
        **{name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in names}
    )


def _float(value: Any) -> float | None:
    number = table.to_number(value)
    return (
        float(number) if isinstance(number, (int, float)) and not isinstance(number, bool) else None
    )


def _place_column() -> Any:
    return st.column_config.NumberColumn(
        _("No."), width=60, format="%g", help=_("Its place. 1.5 stands between 1 and 2.")
    )


def _height(rows: int) -> int:
    """Room for every line, a few new ones, and the bar below that scrolls sideways."""
    return min(TALLEST, ROW_HEIGHT * (rows + 4))


def _titles(words: Mapping[str, str]) -> Any:
    return lambda code: _(words[code]) if code in words else str(code)
