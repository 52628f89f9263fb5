"""Law in force today: facts about contacts, and whether an act on them is allowed."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance.conditions import exclusions, gates, notices
from qa_core.compliance.recordings import deletion
from qa_core.metrics.law import legal_obstacles, recording_flags
from qa_core.metrics.law.legal_obstacles import LegalAct, LegalFacts, build_keys
from qa_core.metrics.law.recording_flags import RecordedContact
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import QUALITY, Recording
from qa_core.storage.records.store import Session

_KEY = (Recording.source_system, Recording.contact_id)


def load(
    session: Session,
    moment: datetime | None = None,
    information_days: Mapping[str, date] | None = None,
) -> LegalFacts:
    """Read the facts at a moment (default: now); `information_days` where already known."""
    local = environment.to_local(moment or now())
    days = {
        name: date.fromisoformat(text) if (text := gates.value_of(session, name)) else None
        for name in ("works_council_consulted_on", "callers_informed_since")
    }
    oldest = {
        kind: deletion.find_oldest_day(local.date(), gates.retention_months(session, kind))
        for kind in ("recording", "analysis")
    }
    return LegalFacts(
        local.replace(tzinfo=None),
        days["works_council_consulted_on"],
        days["callers_informed_since"],
        oldest["recording"],
        oldest["analysis"],
        notices.find_information_days(session) if information_days is None else information_days,
        exclusions.load(session),
        store.remember(session, "sealed_keys", _find_sealed),
    )


def _find_sealed(session: Session) -> pa.Table:
    of_quality = sa.select(*_KEY).where(QUALITY, Recording.file_name.is_not(None))
    sealed = sa.select(*_KEY).where(sa.not_(QUALITY)).distinct()
    query = Unscoped(
        sealed.where(sa.tuple_(*_KEY).not_in(of_quality)),
        "Which contacts are kept under a longer obligation is the same for everybody. Only their "
        "keys are read, and they are left out.",
    )
    return build_keys(session.execute(query).all())


def judge(
    session: Session,
    viewer: Viewer,
    act: LegalAct,
    contact_ids: Iterable[str],
    around: date | None = None,
) -> list[RecordedContact]:
    """Read contacts in scope by id; `against` is the first rule against the act."""
    facts = load(session)
    obstacle = legal_obstacles.find_obstacle(act, facts)
    return recording_flags.find_recorded(
        viewer, contact_ids, around, obstacle, facts.tables, act == LegalAct.STORE
    )
