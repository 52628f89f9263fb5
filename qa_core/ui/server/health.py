"""Health for monitoring: `GET /healthz` says ready or why not, without secrets."""

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.storage import lake, permissions, system_errors
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch
from qa_core.ui.server import browser
from qa_core.upkeep import integrity, purge

KEPT_SECONDS, OVERDUE_SECONDS = 5, 300
"""Seconds that an answer is kept, and that nothing is overdue (a costly look)."""
WAIT_SECONDS, SILENT_SECONDS = 2, 60
"""Seconds that a request waits for another's check, and that a check may take."""
FULL_DISK_BYTES = 200 * 1024**2

REASONS = {
    "no_answer": N_("The stores do not answer."),
    "no_records": N_("The records do not exist yet. Run the command init."),
    "old_records": N_("The records and the program have different versions. Run the command init."),
    "restore_unfinished": N_("The restoration of a backup was interrupted. Run it again."),
    "records_unreadable": N_("The records cannot be read: the database is down or damaged."),
    "lake_absent": N_("The contacts are missing, although files were imported."),
    "lake_damaged": N_("A file of the contacts is missing or damaged. Restore it from a backup."),
    "stores_damaged": N_("The last deep check found damaged files. Run the command doctor."),
    "disk_full": N_("The disk of the stores is full."),
    "store_read_only": N_("The user who runs Écoute cannot write to the stores."),
    "secret_unusable": N_("A secret is missing or not valid. Restore the copy that you keep."),
    "stores_open": N_("Other users of the machine can read secrets or stores."),
    "deletion_overdue": N_("Personal data is kept longer than allowed. Run the command purge."),
    "check_failed": N_("Unexpected error. The server log has the cause."),
}
"""Why the app is not ready: code and explanation."""

LOG = logging.getLogger("qa_core")


class Health:
    """Result of the last check, kept for some seconds; one request checks at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reasons: tuple[str, ...] = ()
        self.checked_stores: integrity.StoreCheck | None = None
        self.checked_at = self.in_time_until = float("-inf")

    def find_reasons(self) -> tuple[str, ...]:
        """Return the codes of what is wrong; none: ready."""
        if self._age() > KEPT_SECONDS and self.lock.acquire(timeout=WAIT_SECONDS):
            try:
                if self._age() > KEPT_SECONDS:
                    found = tuple(self._check())
                    if found and found != self.reasons:
                        LOG.warning("not ready: %s", ", ".join(found))
                    self.reasons, self.checked_at = found, time.monotonic()
            finally:
                self.lock.release()
        return self.reasons if self._age() < SILENT_SECONDS else ("no_answer",)

    def _age(self) -> float:
        return time.monotonic() - self.checked_at

    def _check(self) -> Iterator[str]:
        for check in (_check_secrets, _check_disk, self._check_stores):
            try:
                yield from check()
            except Exception:
                LOG.exception("a check of /healthz failed")
                yield "check_failed"

    def _check_stores(self) -> Iterator[str]:
        found = [*_check_records()] or [*_check_lake()]
        self.checked_stores = None if found else integrity.find_last()
        if self.checked_stores is not None and not self.checked_stores.is_well:
            yield "stores_damaged"
        yield from found
        if found or time.monotonic() < self.in_time_until:
            return
        if any(item.is_late for item in purge.find_overdue(Viewer.SYSTEM)):
            yield "deletion_overdue"
        else:
            self.in_time_until = time.monotonic() + OVERDUE_SECONDS


def _check_secrets() -> Iterator[str]:
    if permissions.find_open():
        yield "stores_open"
    for name in environment.SECRETS:
        try:
            is_usable = environment.has_secret(name) and bool(environment.secret(name))
        except Refusal as refusal:
            yield "stores_open" if refusal.code == "open_secret" else "secret_unusable"
            return
        if not is_usable:
            yield "secret_unusable"
            return


def _check_disk() -> Iterator[str]:
    here = environment.current()
    lake_folder = here.lake_url.removeprefix("file://")
    folders = [path for path in (here.folder, lake_folder) if os.path.isdir(path)]
    if any(shutil.disk_usage(path).free < FULL_DISK_BYTES for path in folders):
        yield "disk_full"
    if not all(os.access(path, os.W_OK) for path in folders):
        yield "store_read_only"


def _check_records() -> Iterator[str]:
    try:
        store.require_ready()
        with store.reading() as session:
            session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except Refusal as refusal:
        yield refusal.code if refusal.code in REASONS else "records_unreadable"
    except sa.exc.SQLAlchemyError as error:
        system_errors.log_failure(LOG, "the reading of the records", error)
        yield "records_unreadable"


def _check_lake() -> Iterator[str]:
    try:
        if lake.find_damage():
            yield "lake_damaged"
    except Refusal:
        yield "lake_damaged"
    else:
        if lake.version("contacts") < 0 and _has_imported():
            yield "lake_absent"


def _has_imported() -> bool:
    done = sa.select(ImportBatch.counts).where(
        ImportBatch.kind == "contacts", ImportBatch.state == "done"
    )
    with store.reading() as session:
        return any(counts.get("new") for counts in session.scalars(done))


_health = Health()


def find_reasons() -> tuple[str, ...]:
    """Return the codes of what keeps the app from being ready; none: it is."""
    return _health.find_reasons()


def _answer(request: Request) -> Response:
    reasons = find_reasons()
    last = _health.checked_stores
    age = {"stores_checked_at": last.at.isoformat(timespec="seconds")} if last else {}
    if not reasons:
        return JSONResponse({"status": "ready", **age})
    browser.use_language_of(request)
    explained = [{"code": code, "message": _(REASONS[code])} for code in dict.fromkeys(reasons)]
    return JSONResponse({"status": "not_ready", "reasons": explained, **age}, 503)


ROUTES = (Route("/healthz", _answer, methods=["GET"]),)
