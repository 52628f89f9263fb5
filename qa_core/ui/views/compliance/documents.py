"""Documents of the law: what each lacks, whether it is up to date, and its files."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import i18n
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.compliance.documents import printing
from qa_core.compliance.documents.blocks import Block, Bullets, Grid, Heading, split_blanks
from qa_core.compliance.documents.facts import DETAILS
from qa_core.compliance.documents.rendering import RENDERERS
from qa_core.storage.records import store
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, download_links


def show(viewer: Viewer) -> None:
    """Show each document with its state, and links to its files in the reader's language."""
    st.subheader(_("Documents"), anchor=False)
    st.caption(printing.explain_drafts())
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        _ask_details()
    with cards.card(gap="small"):
        for state in printing.find_all(viewer):
            left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
            with left:
                st.markdown(f"**{escape(_(state.kind.title))}**")
                st.caption(escape(f"{_(state.kind.reader)}. {printing.describe_state(state)}"))
                if state.missing:
                    missing = _("Missing: {titles}", titles=", ".join(state.missing))
                    st.caption(f":orange[{escape(missing)}]")
            with right:
                name, forms = state.kind.name, tuple(RENDERERS)
                content = {"name": name, "language": i18n.language()}
                download_links.show_download(
                    "document", label=_("Print"), key=name, forms=forms, **content
                )


def show_blocks(blocks: list[Block]) -> None:
    for block in blocks:
        match block:
            case Heading():
                st.subheader(escape(block.text), anchor=False)
            case Bullets():
                st.markdown("\n".join(f"- {_mark_up(item)}" for item in block.items))
            case Grid():
                head = "|".join(map(_mark_up, block.header or ("",) * len(block.shares)))
                rows = ["|".join(map(_mark_up, row)) for row in block.rows]
                ruler = "|".join("---" for _share in block.shares)
                st.markdown("\n".join(f"|{line}|" for line in (head, ruler, *rows)))
            case _:
                st.markdown(_mark_up(block.text))


def _mark_up(text: str) -> str:
    return "".join(
        f":orange-background[{escape(piece)}]" if is_blank else escape(piece)
        for piece, is_blank in split_blanks(text)
    )


def _ask_details() -> None:
    with store.reading() as session:
        today = settings.current(session)
    with (
        st.popover(_("Names and addresses in the documents"), icon=":material/edit:"),
        st.form("document_details", border=False),
    ):
        values = {
            name: st.text_input(
                _(settings.BY_NAME[name].title),
                getattr(today, name) or "",
                max_chars=200,
                help=_(settings.BY_NAME[name].meaning),
            )
            for name in DETAILS
        }
        if st.form_submit_button(_("Save"), type="primary"):
            with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
                printing.enter_details(acting, values)
