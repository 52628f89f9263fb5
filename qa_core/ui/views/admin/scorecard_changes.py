"""What a draft changes against the last version, and its publication by whoever answers
for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.quality import scorecards
from qa_core.quality.scorecards import ScorecardDraft
from qa_core.ui import gate

OUTCOME, OPENED = "scorecards_outcome", "scorecards_opened"


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(gate.escape(said), icon=":material/check:")


def open_next(grid_id: int | None, said: str) -> None:
    """Show that grid on the next run, and say what was done."""
    st.session_state[OUTCOME] = said
    if grid_id is not None:
        st.session_state[OPENED] = grid_id
    st.rerun()


def show_draft(viewer: Viewer, held: ScorecardDraft, content: Mapping[str, Any]) -> None:
    """The changes against the last version; whoever may publishes the draft as it was
    saved.
    """
    last = _find_before(viewer, held)
    with st.container(border=True, gap="small"):
        if last is None:
            st.markdown("##### " + _("The first version of this grid"))
        else:
            st.markdown(
                "##### " + _("What changes against version {version}", version=last.version)
            )
            _show_changes(last.content, content)
        if not viewer.can(Permission.PUBLISH_GRIDS):
            st.caption(_("A manager publishes it, once it is saved."))
            return
        number = (last.version or 0) + 1 if last else 1
        if st.button(
            _("Publish as version {version}", version=number),
            type="primary",
            icon=":material/publish:",
            key=f"publish_{held.id}_{held.edition}",
        ):
            _publish(held)
        st.caption(
            _(
                "From then on new evaluations are made on it. It is never changed again; those "
                "made before keep their version."
            )
        )


def show_since_last(viewer: Viewer, held: ScorecardDraft) -> None:
    """What a version changed against the one before."""
    before = _find_before(viewer, held)
    if before is not None and held.content.get("section"):
        with st.expander(_("What changed since version {version}", version=before.version)):
            _show_changes(before.content, held.content)


def _find_before(viewer: Viewer, held: ScorecardDraft) -> ScorecardDraft | None:
    """The version before; of a draft, the last one."""
    versions = [
        one
        for one in scorecards.find_all(viewer)
        if one.key == held.key and not one.is_draft and one.content.get("section")
    ]
    return next(
        (one for one in versions if held.version is None or one.version < held.version), None
    )


def _show_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    changes = scorecards.compare(scoring.parse_scorecard(before), scoring.parse_scorecard(after))
    st.markdown("\n".join(f"- {gate.escape(change)}" for change in changes) or _("Nothing."))


def _publish(held: ScorecardDraft) -> None:
    try:
        version = scorecards.publish(
            gate.current_viewer(Permission.PUBLISH_GRIDS), held.id, held.edition
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    open_next(
        held.id, _("{title} is published as version {version}.", title=held.title, version=version)
    )
