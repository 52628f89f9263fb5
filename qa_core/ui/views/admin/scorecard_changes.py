"""Changes of a draft against the last version, and its publication."""

from collections.abc import Mapping
from typing import Any, NoReturn

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.quality import scorecards
from qa_core.quality.scorecards import StoredScorecard
from qa_core.ui import actions, cards, gate
from qa_core.ui.markdown import escape

OPENED = "scorecards_opened"
"""Number of the scorecard that the next run shows."""


def finish(number: int, outcome: str) -> NoReturn:
    """Run the page again, with that outcome, on that draft or version."""
    st.session_state[OPENED] = number
    actions.finish(outcome)


def show_draft(viewer: Viewer, held: StoredScorecard, content: Mapping[str, Any]) -> None:
    """Show changes since the last version, and the button that publishes the draft."""
    last = _find_before(viewer, held)
    title = _("The first version of this scorecard")
    if last is not None:
        title = _("What changes from version {version}", version=last.version)
    with cards.card(title, gap="small"):
        if last is not None:
            _show_changes(last.content, content)
        if not viewer.can(Permission.PUBLISH_GRIDS):
            st.caption(_("After you save it, a manager publishes it."))
            return
        number = (last.version or 0) + 1 if last else 1
        if st.button(
            _("Publish as version {version}", version=number),
            type="primary",
            icon=":material/publish:",
            key=f"publish_{held.id}_{held.edition}",
        ):
            with actions.show_refusals():
                acting = gate.current_viewer(Permission.PUBLISH_GRIDS)
                version = scorecards.publish(acting, held.id, held.edition)
                said = {"title": held.title, "version": version}
                finish(held.id, _("{title} is published as version {version}.", **said))
        text = _(
            "New evaluations will use this version, which never changes. Earlier evaluations "
            "keep theirs."
        )
        st.caption(text)


def show_since_last(viewer: Viewer, held: StoredScorecard) -> None:
    """Show what a version changed against the one before."""
    before = _find_before(viewer, held)
    if before is not None and held.content.get("section"):
        with st.expander(_("What changed since version {version}", version=before.version)):
            _show_changes(before.content, held.content)


def _find_before(viewer: Viewer, held: StoredScorecard) -> StoredScorecard | None:
    """Return the version before; for a draft, the last one."""
    versions = (
        one
        for one in scorecards.find_all(viewer)
        if one.key == held.key and not one.is_draft and one.content.get("section")
    )
    return next(
        (one for one in versions if held.version is None or one.version < held.version), None
    )


def _show_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    changes = scorecards.compare(scoring.parse_scorecard(before), scoring.parse_scorecard(after))
    st.markdown("\n".join(f"- {escape(change)}" for change in changes) or _("Nothing."))
