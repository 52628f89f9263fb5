"""Reasons why a contact has no recording to play, each a sentence that reveals no more."""

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, format_refusal
from qa_core.compliance.conditions import accreditations, gates
from qa_core.storage.records import store


def explain(viewer: Viewer) -> str:
    """Explain why `find_playable` returned None, as far as the viewer may know."""
    viewer.require(Permission.LISTEN)
    with store.reading() as session:
        try:
            gates.require_open(session)
            if viewer.role != Role.ADVISOR:
                accreditations.require(session, viewer)
        except Refusal as refusal:
            return format_refusal(refusal)
        if viewer.role == Role.ADVISOR:
            return _(
                "You can listen to your own recorded and evaluated calls while their recording is "
                "kept."
            )
    return _("This contact has no recording that you may listen to.")
