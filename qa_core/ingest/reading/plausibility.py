"""Plausibility of a file before it is committed. Oddities that rest on a default or a
guess stop the import until the person says `--yes`; those that the file itself states
are only shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from qa_core.base import declared, environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.files.options import ImportOptions
from qa_core.ingest.platforms.reader import AS_TABLE
from qa_core.ingest.reading import registry
from qa_core.ingest.staging import reason_texts
from qa_core.ingest.staging.staged import Staged
from qa_core.storage.records import store

MIN_ROWS = 200
MIN_RECEIVED = 500
MIN_REJECTED = 2
MIN_HANDLE_ROWS = 5
MAX_REJECTED = 0.05
MIN_HANDLE_SECONDS, MAX_HANDLE_SECONDS = 15, 7_200
IMPLAUSIBLE = "implausible"
"""Code of the refusal of figures that a person must accept."""
LONG_HANDLE_TIME = "long_handle_time"
MAX_RATE_CHANGE = 0.3
MAX_TIME_FACTOR = 3
MAX_KNOWN_ELSEWHERE = 0.5
ALWAYS_GUESSED = frozenset(("contact_id",))
"""Fields whose reading is always a default: the same id in two files is the same contact."""
_TALK = ("talk_seconds", "duration", "handle_seconds", "call_seconds")
_DECLARED = declared.read(__file__)
_ANSWERS: dict[str, str] = _DECLARED["answers"]
_FINDINGS: dict[str, dict[str, str]] = _DECLARED["findings"]


@dataclass(frozen=True)
class Oddity:
    """Odd finding: its code of `_FINDINGS`, and the value in its message."""

    code: str
    value: float

    @property
    def field(self) -> str:
        return _FINDINGS[self.code]["field"]

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.format(), "value": self.value}

    def format(self) -> str:
        return _(_FINDINGS[self.code]["message"]).format(value=f"{self.value:g}")


def require_few_rejected(staged: Staged, by_law: int = 0) -> None:
    """Raise Refusal for more rejected rows than the setting allows, without those `by_law`."""
    rejected, rows = staged.tally.rejected - by_law, staged.tally.read - staged.tally.skipped
    with store.reading_or_empty() as session:
        limit = settings.current(session).max_rejected_percent
    if staged.kind == "recordings" or rejected < MIN_REJECTED or rejected * 100 <= limit * rows:
        return
    reasons = staged.tally.reasons.most_common()
    is_export = registry.is_platform(staged.profile)
    raise Refusal(
        "too_many_rejected",
        "{rejected} of {rows} rows would be rejected ({reasons}), more than {limit} %. The file "
        "was probably misread.",
        options=(
            *(AS_TABLE if is_export else ()),
            *dict.fromkeys(
                _ANSWERS[code] for code, _n in reasons if code in _ANSWERS and not is_export
            ),
        ),
        rejected=rejected,
        rows=rows,
        reasons=", ".join(f"{count} × {reason_texts.describe(code)}" for code, count in reasons),
        limit=f"{limit:g}",
    )


def check(connection: duckdb.DuckDBPyConnection, staged: Staged) -> list[Oddity]:
    """Find what looks odd in contacts; in few rows, only the handle time."""
    if staged.kind != "contacts":
        return []
    if staged.accepted < MIN_ROWS:
        return [
            oddity
            for oddity in _check_figures(connection, staged)
            if oddity.field == "talk_seconds" and staged.accepted >= MIN_HANDLE_ROWS
        ]
    return [*_check_figures(connection, staged), *_check_history(connection, staged)]


def require_accepted(
    staged: Staged, oddities: list[Oddity], options: ImportOptions
) -> list[Oddity]:
    """Return the oddities accepted with `--yes`. Raises Refusal for guesses not accepted."""
    guessed = [oddity for oddity in oddities if oddity.field in staged.guesses | ALWAYS_GUESSED]
    if guessed and not options.yes:
        raise Refusal(
            IMPLAUSIBLE,
            "{found} The file does not say enough to be sure. Say what its columns are, or "
            "accept it as it is.",
            options=(
                "--yes",
                *(
                    f"--unit {name}=min|ms"
                    for name in staged.settled.get("units", ())
                    if name in _TALK and any(oddity.field == "talk_seconds" for oddity in guessed)
                ),
                *dict.fromkeys(
                    f"--map ignore={staged.mapping[oddity.field]}"
                    if oddity.field in ALWAYS_GUESSED
                    else f"--map {oddity.field}=COLUMN"
                    for oddity in guessed
                ),
            ),
            found=" ".join(oddity.format() for oddity in guessed),
        )
    return guessed


def _check_figures(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[Oddity]:
    advisor = staged.select_column("advisor")
    rows, advisors, with_advisor, midnight, future = connection.execute(
        f"SELECT count(*), count(DISTINCT {advisor}), count({advisor}), "
        "count(*) FILTER (local_start = date_trunc('day', local_start)), "
        "count(*) FILTER (local_start >= ?) FROM staged",
        (environment.today() + timedelta(days=1),),
    ).fetchone()
    _received, with_outcome, answered, missed, handle = _measure(connection, "staged", staged)
    if with_outcome and answered in (0, with_outcome):
        code = "all_answered" if answered else "none_answered"
        yield Oddity(code, 100.0 * answered / with_outcome)
    elif with_outcome > MIN_RECEIVED and not missed:
        yield Oddity("none_abandoned", with_outcome)
    if handle and handle > MAX_HANDLE_SECONDS:
        yield Oddity(LONG_HANDLE_TIME, round(handle))
    if handle is not None and 0 < handle < MIN_HANDLE_SECONDS:
        yield Oddity("short_handle_time", round(handle, 1))
    if advisors == 1 and with_advisor > MIN_ROWS:
        yield Oddity("one_advisor", with_advisor)
    if midnight == rows:
        yield Oddity("all_at_midnight", rows)
    if 0 < future < rows / 2:
        yield Oddity("in_the_future", future)
    share = staged.tally.rejected / max(1, staged.tally.read - staged.tally.skipped)
    if share > MAX_REJECTED:
        yield Oddity("many_rejected", round(100 * share, 1))


def _check_history(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[Oddity]:
    system = staged.select_system()
    earlier_contacts = (
        f"(SELECT * FROM contacts WHERE source_system IN (SELECT DISTINCT {system} FROM staged))"
    )
    _all, with_outcome, answered, _missed, handle = _measure(connection, earlier_contacts, None)
    measured = _measure(connection, "staged", staged)
    _all, own_with_outcome, own_answered, _missed, own_handle = measured
    if with_outcome >= MIN_ROWS and own_with_outcome:
        change = own_answered / own_with_outcome - answered / with_outcome
        if abs(change) > MAX_RATE_CHANGE:
            yield Oddity("other_answer_rate", round(100 * change))
    if handle and own_handle and not 1 / MAX_TIME_FACTOR < own_handle / handle < MAX_TIME_FACTOR:
        yield Oddity("other_handle_time", round(own_handle / handle, 2))
    if "contact_id" not in staged.columns:
        return
    matched, on_other_days = connection.execute(
        f"""WITH own AS (SELECT {system} AS system, contact_id, local_start FROM staged)
        SELECT count(*), count(*) FILTER (abs(date_diff('second', c.local_start, o.local_start))
            > 86400) FROM own o JOIN contacts c ON c.contact_id = o.contact_id
            AND c.source_system = o.system"""
    ).fetchone()
    if matched >= MIN_ROWS and on_other_days > MAX_KNOWN_ELSEWHERE * matched:
        yield Oddity("ids_of_other_days", on_other_days)


def _measure(
    connection: duckdb.DuckDBPyConnection, relation: str, staged: Staged | None
) -> tuple[int, int, int, int, float | None]:
    """Count inbound contacts: all, with a known outcome, answered, abandoned or
    unanswered; and the mean handle time of answered ones, in seconds.
    """

    def select(name: str, kind: str = "VARCHAR") -> str:
        return staged.select_column(name, kind=kind) if staged else name

    direction, outcome = select("direction"), select("outcome")
    parts = [select(name, "DOUBLE") for name in ("talk_seconds", "hold_seconds", "wrap_seconds")]
    handle = " + ".join(f"coalesce({part}, 0)" for part in parts)
    return connection.execute(
        f"""SELECT count(*), count({outcome}), count(*) FILTER ({outcome} = 'answered'),
            count(*) FILTER ({outcome} IN ('abandoned', 'unanswered')),
            avg({handle}) FILTER ({outcome} = 'answered' AND {parts[0]} IS NOT NULL)
        FROM {relation} WHERE coalesce({direction}, 'inbound') = 'inbound'"""
    ).fetchone()
