"""Which grids there are, which one is looked at, and how a draft is started: from a
version, a starter grid, a file, or nothing.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality import scorecards
from qa_core.quality.scorecards import ScorecardDraft, files, publication, table
from qa_core.ui import download_links, gate, tables, url_state
from qa_core.ui.views.admin import scorecard_changes, scorecard_editor, scorecard_preview

PAGE, CHOSEN, TABLE = "scorecards", "grid", "scorecards_table"
LARGEST_UPLOAD_MB = 2


def choose(viewer: Viewer) -> ScorecardDraft | None:
    """The list, and the draft or version that is chosen in it; None while there is
    none.
    """
    found = scorecards.find_all(viewer)
    if not found:
        st.info(
            _("There is no grid yet. An administrator starts a draft here; a manager publishes it.")
        )
        return None
    title, key, state, when, by, made = (
        _("Grid"),
        _("Key"),
        _("State"),
        _("Published on"),
        _("By"),
        _("Evaluations"),
    )
    rows = [
        {
            title: describe_title(held),
            key: held.key,
            state: describe_state(held),
            when: formatting.day(environment.to_local(held.published_at).date(), year=True)
            if held.published_at
            else None,
            by: held.published_by if held.published_at else held.created_by,
            made: held.evaluations,
        }
        for held in found
    ]

    def take() -> None:
        if cells := st.session_state[TABLE]["selection"]["cells"]:
            st.session_state[CHOSEN] = str(found[cells[0][0]].id)

    tables.show(
        rows,
        {title: tables.name_column(title, 220), made: tables.count_column(made)},
        TABLE,
        take,
        height=330,
    )
    titles = {
        str(held.id): f"{describe_title(held)} ({held.key}) · {describe_state(held)}"
        for held in found
    }
    usual = next(iter(titles))
    if st.session_state.get(scorecard_changes.OPENED):
        st.session_state[CHOSEN] = str(st.session_state.pop(scorecard_changes.OPENED))
    else:
        url_state.take(PAGE, CHOSEN, titles, usual)
    if st.session_state.get(CHOSEN) not in titles:
        st.session_state[CHOSEN] = usual
    chosen = st.selectbox(
        _("Open"), list(titles), format_func=lambda number: titles[number], key=CHOSEN
    )
    url_state.give(PAGE, CHOSEN, chosen, usual)
    return next(held for held in found if str(held.id) == chosen)


def describe_title(held: ScorecardDraft) -> str:
    """In the language of the reader, where the grid has it."""
    header = table.to_header(held.content)
    return header[f"title_{i18n.language()}"] or held.title


def describe_state(held: ScorecardDraft) -> str:
    return _("draft") if held.is_draft else _("version {version}", version=held.version)


def show(viewer: Viewer, held: ScorecardDraft) -> None:
    """A draft to write or to publish, or a version to read."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader(
            f"{gate.escape(describe_title(held))} · {describe_state(held)}",
            anchor=False,
            width="content",
        )
        download_links.show_download(
            _("Export"), "grid", key=str(held.id), forms=files.FORMS, grid_id=held.id
        )
    if not held.is_draft:
        st.caption(
            _(
                "Published: it stays as it is for ever, so that every evaluation made on it "
                "can be read as it was made."
            )
        )
        scorecard_changes.show_since_last(viewer, held)
        _show_preview(held.content, f"preview_{held.id}")
        return
    content = held.content
    if viewer.can(Permission.EDIT_GRIDS):
        content = scorecard_editor.show(viewer, held)
    else:
        st.caption(
            _("A draft, as its writer saved it last. Publish it once it is as it should be.")
        )
    faults = scorecards.find_faults(content)
    scorecard_editor.show_faults(faults)
    if not faults:
        scorecard_changes.show_draft(viewer, held, content)
        _show_preview(content, f"preview_{held.id}")


def ask_new(viewer: Viewer) -> None:
    """Start a draft."""
    if not viewer.can(Permission.EDIT_GRIDS):
        return
    with st.expander(
        _("New draft"), icon=":material/add:", expanded=not scorecards.find_all(viewer)
    ):
        left, right = st.columns(2, gap="medium")
        # No form: the key that was typed holds for a file, too.
        with left:
            sources = _find_sources(viewer)
            source = st.selectbox(
                _("Start from"),
                list(sources),
                format_func=lambda one: sources[one],
                key="draft_source",
            )
            key = st.text_input(
                _("Key"),
                placeholder="customer-service",
                help=_("Empty: that of the grid it starts from."),
                key="draft_key",
            )
            if st.button(_("Start a draft"), type="primary"):
                _start(source, key.strip())
        with right:
            sent = st.file_uploader(
                _("Or from a file"),
                type=list(files.READ),
                max_upload_size=LARGEST_UPLOAD_MB,
                key="draft_file",
            )
            st.caption(
                _(
                    "TOML, or a workbook or CSV with one row to each criterion: section, "
                    "criterion and points are enough."
                )
            )
            if sent is not None and st.button(
                _("Bring it in as a draft"), icon=":material/upload_file:"
            ):
                _bring(sent, key.strip())


def _find_sources(viewer: Viewer) -> dict[tuple[str, Any], str]:
    held = {
        ("version", one.id): f"{describe_title(one)} ({one.key}) · {describe_state(one)}"
        for one in scorecards.find_all(viewer)
    }
    starters = {
        ("starter", key): _("Starter grid: {key}", key=key) for key in publication.find_starters()
    }
    return {**held, **starters, ("empty", None): _("An empty grid")}


def _start(source: tuple[str, Any], key: str) -> None:
    viewer = gate.current_viewer(Permission.EDIT_GRIDS)
    kind, which = source
    try:
        if kind == "version":
            made = scorecards.create_draft(
                viewer, key or scorecards.get(viewer, which).key, from_version=which
            )
        else:
            made = scorecards.create_draft(
                viewer,
                key or which or "",
                publication.read_starter(which) if kind == "starter" else None,
            )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    scorecard_changes.open_next(made, _("The draft is started."))


def _bring(sent: Any, key: str) -> None:
    try:
        made = files.import_file(
            gate.current_viewer(Permission.EDIT_GRIDS), sent.name, sent.getvalue(), key or None
        )
    except files.FaultyFile as faulty:
        for fault in faulty.faults:
            gate.show_refusal(fault)
        return
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    scorecard_changes.open_next(made, _("{file} is brought in as a draft.", file=sent.name))


def _show_preview(content: dict[str, Any], key: str) -> None:
    if content.get("section"):
        scorecard_preview.show(scoring.parse_scorecard(content), key)
    else:
        st.info(_("This grid came with imported scores alone: it has no criteria."))
