"""Does one act of a centre, says what of it was acknowledged, and dies by SIGKILL at the N-th
write: `ACT N FOLDER` (0: never, and the number of writes is said).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from builders import centre_with_calls
from builders.drafts import BEST
from builders.import_files import CALLS, SURVEYS, write
from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.quality.evaluations import drafts
from qa_core.storage.records import store
from qa_core.storage.records.listening import DrawnContact
from qa_core.upkeep import backup, purge
from tests.builders.killed_purge import count_writes

SYSTEM = Viewer.SYSTEM
WORDS = ("first", "second", "third")
Say = Callable[[str], None]


def open_evaluation() -> int:
    """Let Eve start, or go on with, the contact drawn for her. Returns the evaluation's id."""
    with store.reading() as session:
        drawn_id = session.query(DrawnContact).filter_by(evaluator="eve").one().id
    return drafts.start(centre_with_calls.viewer_of("eve"), drawn_id)


def evaluate(_folder: Path, say: Say) -> None:
    """Open Eve's evaluation, save it word by word from where it stands, and submit it."""
    eve, number = centre_with_calls.viewer_of("eve"), open_evaluation()
    say("started")
    draft = drafts.get_draft(eve, number)
    if draft.state != "draft":
        return
    version = draft.version
    for word in WORDS[WORDS.index(draft.comment) + 1 if draft.comment else 0 :]:
        version = drafts.save(eve, number, version, BEST, {}, word)
        say(word)
    drafts.submit(eve, number, version)
    say("submitted")


def bring(folder: Path, say: Say) -> None:
    """Import contacts, then surveys, of which one waits for its contact."""
    for kind, text in (("contacts", CALLS), ("surveys", SURVEYS)):
        (report,) = ingest.run(SYSTEM, kind, [write(folder, f"{kind}.csv", text)])
        if report.is_refused:
            raise report.refusal
        say(kind)


def purge_now(_folder: Path, say: Say) -> None:
    purge.purge(SYSTEM)
    say("purged")


def serve(_folder: Path, say: Say) -> None:
    """Start as a server does, whose own purge finds what is due."""
    from qa_core.ui import asgi

    asgi.check_start()
    while purge.find_overdue(SYSTEM):
        time.sleep(0.05)
    say("purged")


def back_up(folder: Path, say: Say) -> None:
    """Write a backup under the first name that is free."""
    name = next(name for name in map(str, range(100)) if not (folder / name).exists())
    backup.back_up(SYSTEM, folder / name)
    say(name)


def upgrade(_folder: Path, say: Say) -> None:
    store.migrate()
    say("upgraded")


ACTS: dict[str, Callable[[Path, Say], None]] = {
    "evaluation": evaluate,
    "import": bring,
    "purge": purge_now,
    "server": serve,
    "backup": back_up,
    "upgrade": upgrade,
}

if __name__ == "__main__":
    writes = count_writes(int(sys.argv[2]))
    try:
        ACTS[sys.argv[1]](Path(sys.argv[3]), lambda said: print(said, flush=True))
    except Refusal as refusal:
        print(f"refused: {refusal}", flush=True)
    print(writes[0], flush=True)
