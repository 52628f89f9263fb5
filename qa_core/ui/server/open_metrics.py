"""Counts for monitoring: `GET /metrics` in the OpenMetrics format, to the addresses of
QA_METRICS_ADDRESSES alone. No person and no KPI is in them.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance import requests
from qa_core.delivery import ledger as deliveries
from qa_core.sources import ledger as windows
from qa_core.storage import lake
from qa_core.storage.lake import tables
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ImportBatch
from qa_core.ui.server import browser, health, proxies
from qa_core.upkeep import after_import


class _Errors(logging.Filter):
    """Count of the errors that went into the server log; it lets everything through."""

    count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        self.count += record.levelno >= logging.ERROR
        return True


_errors = _Errors()
_answers: Counter[str] = Counter()
_lock = threading.Lock()


def start() -> None:
    """Count errors from now on."""
    logging.getLogger("qa_core").addFilter(_errors)


def note_answer(status: int) -> None:
    with _lock:
        _answers[str(status)] += 1


class Counts(Collector):
    """Counts of the stores and of this server, found anew at each look."""

    def collect(self) -> Iterator[Metric]:
        reasons = health.find_reasons()
        yield GaugeMetricFamily("ecoute_ready", "1 where /healthz says ready.", not reasons)
        yield _label(
            "ecoute_not_ready", "Reasons of /healthz.", "reason", dict.fromkeys(reasons, 1)
        )
        yield _label("ecoute_http_responses", "Answers.", "status", dict(_answers), True)
        yield CounterMetricFamily("ecoute_errors", "Errors in the server log.", _errors.count)
        if {"no_records", "old_records", "records_unreadable"} & set(reasons):
            return
        yield from self._count_imports()
        yield from self._count_sources()
        entered = requests.find_all(Viewer.SYSTEM)
        open_requests = {
            "open": sum(item.is_open for item in entered),
            "late": sum(item.is_late for item in entered),
        }
        yield _label("ecoute_rights_requests", "Requests of persons.", "state", open_requests)
        waiting = {name: int(due_work.find(name) is not None) for name in after_import.WORK}
        yield _label("ecoute_due_work", "1 where work after an import waits.", "work", waiting)
        states = deliveries.count_states(Viewer.SYSTEM)
        yield _label("ecoute_deliveries", "Mails and messages of the ledger.", "state", states)
        rows = {name: lake.snapshot(name).rows for name in tables.TABLES}
        yield _label("ecoute_lake_rows", "Rows of the lake.", "table", rows)

    def _count_imports(self) -> Iterator[Metric]:
        batch = (ImportBatch.kind, ImportBatch.state)
        newest = sa.func.max(ImportBatch.finished_at)
        with store.reading() as session:
            found = session.execute(sa.select(*batch, sa.func.count(), newest).group_by(*batch))
            batches = found.all()
        counts = GaugeMetricFamily("ecoute_imports", "Imports.", labels=("kind", "state"))
        ages = GaugeMetricFamily(
            "ecoute_import_age_seconds", "Seconds since the last import.", labels=("kind",)
        )
        for kind, state, count, finished_at in batches:
            counts.add_metric((kind, state), count)
            if state == "done" and finished_at:
                ages.add_metric((kind,), (now() - finished_at).total_seconds())
        yield counts
        yield ages

    def _count_sources(self) -> Iterator[Metric]:
        days = GaugeMetricFamily(
            "ecoute_source_days", "Days of sources by state.", labels=("source", "state")
        )
        for pair, count in windows.count_states().items():
            days.add_metric(pair, count)
        yield days
        ages = {
            name: (now() - at).total_seconds() for name, at in windows.find_ages().items() if at
        }
        yield _label("ecoute_source_age_seconds", "Seconds since a reading.", "source", ages)


def _label(
    name: str, text: str, label: str, values: dict[str, float], is_counter: bool = False
) -> Metric:
    family = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


def _answer(request: Request) -> Response:
    address = proxies.parse_address(request.client.host if request.client else "")
    is_reader = address and any(address in one for one in environment.find_metrics_readers())
    # A proxy on this machine that nobody named makes every visitor look like this machine.
    if not is_reader or (address.is_loopback and not browser.build_for(request).is_local):
        return PlainTextResponse("Not Found", 404)
    return Response(exposition.generate_latest(REGISTRY), media_type=exposition.CONTENT_TYPE_LATEST)


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(Counts())
ROUTES = (Route("/metrics", _answer, methods=["GET"]),)
