"""List of scorecards, and the start of a draft: from a version, a starter or a file."""

from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base import i18n
from qa_core.base.i18n import _, uncapitalise
from qa_core.quality import scorecards
from qa_core.quality.scorecards import StoredScorecard, files, publication, table
from qa_core.ui.frame import gate, layout, url_state
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import scorecard_editor, scorecard_preview
from qa_core.ui.widgets import actions, download_links, tables

CHOSEN = "grid"
MAX_UPLOAD_MB = 2


def choose(viewer: Viewer) -> StoredScorecard | None:
    """Show the list, and return the draft or version chosen in it; None while there is none."""
    known = scorecards.find_all(viewer)
    _show_list(known)
    if not known:
        return None
    by_number = {str(scorecard.id): scorecard for scorecard in known}
    if opened := st.session_state.pop(scorecard_editor.OPENED, None):
        st.query_params[CHOSEN] = str(opened)
    with url_state.bind(CHOSEN, by_number, str(known[0].id)):
        titles = {number: _describe(scorecard) for number, scorecard in by_number.items()}
        chosen = layout.select(st, _("Open"), titles, CHOSEN)
    return by_number[chosen]


def show(viewer: Viewer, stored: StoredScorecard) -> None:
    """Show a draft to write or to publish, or a version to read."""
    with layout.row(horizontal_alignment="distribute"):
        title = f"{escape(describe_title(stored))} · {describe_state(stored)}"
        st.subheader(title, anchor=False, width="content")
        download_links.show_download(
            "grid", key=str(stored.id), forms=files.EXPORT_FORMATS, grid_id=stored.id
        )
    if not stored.is_draft:
        _show_preview(stored.content, f"preview_{stored.id}")
        return
    content = stored.content
    if viewer.can(Permission.EDIT_SCORECARDS):
        content = scorecard_editor.show(stored)
    faults = scorecards.find_faults(content)
    scorecard_editor.show_faults(faults)
    if not faults:
        scorecard_editor.show_publication(viewer, stored)
        _show_preview(content, f"preview_{stored.id}")


def describe_title(stored: StoredScorecard) -> str:
    """Return the title in the language of the reader, where the scorecard has it."""
    return table.to_header(stored.content)[f"title_{i18n.language()}"] or stored.title


def describe_state(stored: StoredScorecard) -> str:
    """Return `draft` or the number of the version."""
    return (
        uncapitalise(_("Draft"))
        if stored.is_draft
        else _("version {version}", version=stored.version)
    )


def ask_new(viewer: Viewer) -> None:
    """Show the forms that start a draft."""
    if not viewer.can(Permission.EDIT_SCORECARDS):
        return
    with st.expander(
        _("Start a draft"), icon=":material/add:", expanded=not scorecards.find_all(viewer)
    ):
        left, right = st.columns(2, gap="medium")
        # No form: the key that was typed holds for a file, too.
        with left:
            source = layout.select(st, _("Start from"), _find_sources(viewer), "draft_source")
            key = st.text_input(_("Key"), placeholder="customer-service", key="draft_key")
            if st.button(_("Start a draft"), type="primary"):
                _start(source, key.strip())
        with right:
            sent = st.file_uploader(
                _("Or from a file"),
                type=list(files.IMPORT_FORMATS),
                max_upload_size=MAX_UPLOAD_MB,
                key="draft_file",
            )
            text = _(
                "TOML, or a workbook or CSV with one row per criterion. Section, criterion "
                "and points are enough."
            )
            st.caption(text)
            if sent is not None and st.button(_("Import"), icon=":material/upload_file:"):
                _import(sent, key.strip())


def _show_list(known: list[StoredScorecard]) -> None:
    def open_line(stored: StoredScorecard) -> None:
        st.session_state[CHOSEN] = str(stored.id)

    columns = (
        tables.name_column(_("Scorecard"), describe_title, 220),
        tables.text_column(_("Key"), lambda stored: stored.key),
        tables.text_column(_("State"), describe_state),
        tables.day_text_column(_("Published on"), lambda stored: stored.published_at),
        tables.text_column(
            _("By"),
            lambda stored: stored.published_by if stored.published_at else stored.created_by,
        ),
        tables.count_column(_("Evaluations"), lambda stored: stored.evaluations),
    )
    tables.show(known, columns, "scorecards_table", open_line, height=330)


def _describe(stored: StoredScorecard) -> str:
    return f"{describe_title(stored)} ({stored.key}) · {describe_state(stored)}"


def _find_sources(viewer: Viewer) -> dict[tuple[str, Any], str]:
    versions = {("version", known.id): _describe(known) for known in scorecards.find_all(viewer)}
    starters = {
        ("starter", key): _("Starter scorecard: {title}", title=publication.name_starter(key))
        for key in publication.find_starters()
    }
    return {**versions, **starters, ("empty", None): _("An empty scorecard")}


def _start(source: tuple[str, Any], key: str) -> None:
    kind, which = source
    with actions.perform(Permission.EDIT_SCORECARDS) as acting:
        if kind == "version":
            key = key or scorecards.get(acting, which).key
            made = scorecards.create_draft(acting, key, from_version=which)
        else:
            content = publication.read_starter(which) if kind == "starter" else None
            made = scorecards.create_draft(acting, key or which or "", content)
        st.session_state[scorecard_editor.OPENED] = made


def _import(sent: Any, key: str) -> None:
    viewer = gate.current_viewer(Permission.EDIT_SCORECARDS)
    with actions.show_refusals():
        try:
            made = files.import_file(viewer, sent.name, sent.getvalue(), key or None)
        except files.FaultyFile as faulty:
            for fault in faulty.faults:
                gate.show_refusal(fault)
        else:
            st.session_state[scorecard_editor.OPENED] = made
            actions.finish(_("Saved."))


def _show_preview(content: dict[str, Any], key: str) -> None:
    if content.get("section"):
        scorecard_preview.show(scoring.parse_scorecard(content), key)
    else:
        st.info(_("The source gives a score without answers."))
