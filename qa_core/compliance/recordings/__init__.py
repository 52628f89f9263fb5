"""Recordings: encrypted audio, its retention, and journalled playback."""

from qa_core.compliance.recordings.deletion import (
    delete,
    delete_expired,
    delete_forbidden,
    delete_of,
    delete_orphans,
    take_back,
)
from qa_core.compliance.recordings.playback import (
    OWN,
    Playable,
    Sound,
    explain_absence,
    find_playable,
    make_ticket,
    open_ticket,
    read,
    require_playable,
)
from qa_core.compliance.recordings.vault import DamagedFile
