"""Recordings: encrypted audio, its retention, and journalled playback."""

from qa_core.compliance.recordings.deletion import (
    PURPOSES,
    delete,
    delete_expired,
    delete_forbidden,
    delete_of,
    drop,
    find_expired,
    has_audio,
    sweep,
    take_back,
)
from qa_core.compliance.recordings.playback import (
    OWN,
    Playable,
    Sound,
    find_playable,
    make_ticket,
    open_ticket,
    read,
    require_playable,
)
from qa_core.compliance.recordings.vault import DamagedFile

__all__ = [
    "OWN",
    "PURPOSES",
    "DamagedFile",
    "Playable",
    "Sound",
    "delete",
    "delete_expired",
    "delete_forbidden",
    "delete_of",
    "drop",
    "find_expired",
    "find_playable",
    "has_audio",
    "make_ticket",
    "open_ticket",
    "read",
    "require_playable",
    "sweep",
    "take_back",
]
