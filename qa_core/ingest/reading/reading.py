"""The reading of a file: what an import understood of it, each fact with its basis, and the
questions that remain. A person confirms it once per layout (docs/decisions/confirmed-readings.md).
"""

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow.parquet as pq

from qa_core.base import declared, environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, uncapitalise
from qa_core.base.masking import MASK
from qa_core.files.decision import NO_COLUMN
from qa_core.files.options import EXPECTED
from qa_core.ingest.reading import field_titles
from qa_core.ingest.reading.examination import ShownRow
from qa_core.ingest.staging.staged import Staged
from qa_core.metrics.kpis import formatting
from qa_core.storage.facts.schema import Handler

MAX_ANSWERS = 4
PROVISIONAL = N_("Until you answer, the reading takes the first answer for granted.")
MAX_SAMPLES = 3
TOLD_ROWS = 3
_NOT_SHOWN = ("survey_comment", "comment", "points", "score", "csat", "nps", "ces", "criterion")
"""Fields of remarks and ratings by people, whose cells are not shown."""
FREE_TEXT = ("survey_comment", "comment")
_TIMES = ("wait_seconds", "talk_seconds", "hold_seconds", "wrap_seconds")
_DECLARED = declared.read(__file__)
HEADLINE: dict[str, str] = _DECLARED["headline"]
BASES: dict[str, str] = _DECLARED["bases"]
_SOURCES: dict[str, list[str]] = _DECLARED["sources"]
"""Fields that a fact may rest on, the first one first."""
_TEXTS = ("outcome", "customer_key", "advisor", "handled_by")
_BY_DURATION = ("duration", "handle_seconds", "call_seconds", "answered_at", "ended_at")
Counts = dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """Understanding of one subject. `basis`: column, words, default, computed, or
    before (confirmed earlier). `samples`: cells of its column, identities masked.
    """

    fact: str
    message: str
    counts: Counts
    basis: str
    column: str | None = None
    samples: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Format the fact in the current language."""
        return _(self.message).format(
            **{name: _show(name, value) for name, value in self.counts.items()}
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "fact": self.fact,
            "text": self.text,
            "counts": {name: _as_plain(value) for name, value in self.counts.items()},
            "basis": self.basis,
            "column": self.column,
            "samples": list(self.samples),
        }


@dataclass(frozen=True)
class AnswerOption:
    """Answer to a question as a command-line option; `effect`: the headline counts that it
    leads to, None where it leads to another question or needs a value.
    """

    option: str
    effect: Counts | None = None

    def as_text(self) -> str:
        name, _space, value = self.option.partition(" ")
        option = f"{name} {shlex.quote(value)}" if name.startswith("--") and value else self.option
        return option if self.effect is None else f"{option}  → {describe_counts(self.effect)}"


@dataclass(frozen=True)
class Question:
    """Question about a file, with its answers, the likeliest first."""

    refusal: Refusal
    answers: tuple[AnswerOption, ...]
    is_provisional: bool = False
    """True where the rest of the reading takes the first answer for granted."""

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.refusal.code,
            "message": i18n.format_refusal(self.refusal),
            "provisional": self.answers[0].option if self.is_provisional else None,
            "answers": [
                {"option": answer.option, "effect": answer.effect} for answer in self.answers
            ],
        }


@dataclass
class Reading:
    """Reading of one file. `must_confirm`: something was inferred, and nobody has confirmed
    this layout yet.
    """

    layout: str = ""
    kind: str = ""
    system: str = ""
    facts: list[Fact] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    unused: dict[str, list[str]] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    headline: Counts = field(default_factory=dict)
    must_confirm: bool = False
    is_refused: bool = False

    @property
    def verdict(self) -> str:
        """Return whether the reading is `sure`, `asks`, or is `refused`."""
        if self.is_refused:
            return "refused"
        return "asks" if self.questions or self.must_confirm else "sure"

    @property
    def printed_counts(self) -> list[Counts]:
        """Headline counts that the reading shows: the present ones, and the effects of answers."""
        effects = [answer.effect for item in self.questions for answer in item.answers]
        return [counts for counts in (self.headline, *effects) if counts]

    @property
    def expected(self) -> dict[str, str]:
        """The headline counts as what a person who has seen them expects."""
        return {name: str(count) for name, count in self.headline.items() if name in EXPECTED}

    @property
    def confirm_option(self) -> str:
        return f"--confirm {self.layout}"

    def as_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout,
            "verdict": self.verdict,
            "facts": [fact.as_json() for fact in self.facts],
            "rows": self.rows,
            "unused": [
                {"column": column, "samples": cells} for column, cells in self.unused.items()
            ],
            "questions": [question.as_json() for question in self.questions],
            "remarks": self.remarks,
        }

    def as_lines(self) -> Iterator[str]:
        """Yield the reading for a terminal, in the current language."""
        for fact in self.facts:
            basis = _(BASES[fact.basis])
            yield f"{fact.text}  [{basis}{f': {fact.column}' if fact.column else ''}]"
        yield from self.rows
        if self.unused:
            yield _("Columns not used: {columns}", columns=", ".join(self.unused))
        yield from (remark["message"] for remark in self.remarks)
        for question in self.questions:
            yield "? " + i18n.format_refusal(question.refusal)
            yield from (f"    {answer.as_text()}" for answer in question.answers)
            if question.is_provisional and self.facts:
                yield "    " + _(PROVISIONAL)
        if self.must_confirm and not self.questions:
            yield _("If this is right, import it with: {option}", option=self.confirm_option)


def compute_layout(kind: str, system: str, headers: tuple[str, ...]) -> str:
    """Compute the id of a layout: a short digest of kind, system and headers."""
    text = json.dumps([kind, system, list(headers)], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def describe_counts(counts: Counts) -> str:
    """Format headline counts, such as `received 7,829 · answered 7,000`."""
    return " · ".join(
        f"{uncapitalise(_(HEADLINE[name]))} {formatting.number(count)}"
        for name, count in counts.items()
        if name in HEADLINE and count is not None
    )


def count_headline(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    scope: str | None = None,
    handled: str | None = None,
) -> Counts:
    """Count what a file leads to; of contacts, the newest row of each id alone. `handled`: SQL
    for who took a row, where the file does not say.
    """
    if staged.kind == "intervals":
        names = ("received", "answered", "abandoned")
        sums = (f"sum({staged.select_column(name, kind='BIGINT')})" for name in names)
        different = "(SELECT DISTINCT * EXCLUDE (line) FROM staged)"
        row = connection.execute(f"SELECT {', '.join(sums)} FROM {different}").fetchone()
        counts = (None if count is None else int(count) for count in row)
        return dict(zip(names, counts, strict=True))
    if staged.kind == "evaluations":
        parts = ("points", "possible") if "points" in staged.columns else ("score", "100")
        average = f"SELECT round(100.0 * sum({parts[0]}) / sum({parts[1]})) FROM staged"
        [(score,)] = connection.execute(average).fetchall()
        return {"rows": staged.accepted, "score": score and int(score)}
    if staged.kind != "contacts":
        return {"rows": staged.accepted}
    create_contacts_table(connection, staged, scope, handled)
    received, answered, abandoned = connection.execute(
        "SELECT count(*), count(*) FILTER (outcome = 'answered'), "
        "count(*) FILTER (outcome IN ('abandoned', 'unanswered')) "
        "FROM read_contacts WHERE direction = 'inbound'"
    ).fetchone()
    return {"received": received, "answered": answered, "abandoned": abandoned}


def create_contacts_table(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    scope: str | None,
    handled: str | None = None,
) -> None:
    """Create the table `read_contacts`: one row per contact, defaults filled in."""
    select = staged.select_column
    newest = ""
    if "contact_id" in staged.columns and (staged.repeated_ids or (0, 1))[1]:
        again = f", strftime(local_start, '{scope}')" if scope else ""
        order = "updated_at DESC NULLS LAST, " if "updated_at" in staged.columns else ""
        newest = (
            f"QUALIFY contact_id IS NULL OR row_number() OVER (PARTITION BY "
            f"{staged.select_system()}, contact_id{again} ORDER BY {order}line DESC) = 1"
        )
    direction = f"coalesce({select('direction')}, 'inbound')"
    handled = handled or select("handled_by")
    advisor = (
        f"CASE WHEN {handled} IS DISTINCT FROM '{Handler.MACHINE}' THEN {select('advisor')} END"
    )
    given = {"handled_by": handled, "advisor": advisor}
    texts = (f"{given.get(name) or select(name)} AS {name}" for name in _TEXTS)
    amounts = (f"{select(name, kind='DOUBLE')} AS {name}" for name in (*_TIMES, "csat", "nps"))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read_contacts AS SELECT {direction} AS direction, "
        f"{', '.join((*texts, *amounts))}, local_start, {select('csat_scale')} AS csat_scale "
        f"FROM staged s {newest}"
    )


def build_facts(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    days: tuple[date | None, date | None],
    headline: Counts,
    scope: str | None = None,
    was_confirmed: bool = False,
) -> list[Fact]:
    """Build the facts of a file in the order in which a person checks them."""
    facts = [_build_rows(staged), *_build_days(connection, staged, days)]
    if staged.kind == "contacts":
        facts += _build_contact_facts(connection, staged, headline, scope)
    else:
        if staged.kind == "intervals":
            facts.append(Fact("outcome", _TOTALS, headline, "column"))
        scales = staged.settled.get("scales", {})
        facts += (
            Fact(
                name,
                N_("{column}, rated on {scale}") if name in scales else "{column}",
                {"column": column} | ({"scale": scales[name]} if name in scales else {}),
                "column",
                column,
                _sample(staged, name),
            )
            for name, column in staged.mapping.items()
        )
    return [
        replace(fact, basis="before") if was_confirmed and fact.basis != "default" else fact
        for fact in facts
    ]


_TOTALS = N_("totals: {received} received, {answered} answered, {abandoned} abandoned")


def _build_rows(staged: Staged) -> Fact:
    tally = staged.tally
    return Fact(
        "rows",
        N_("{read} rows: {accepted} read, {rejected} rejected, {folded} folded, {skipped} skipped"),
        {
            "read": tally.read,
            "accepted": staged.accepted,
            "rejected": tally.rejected,
            "folded": tally.folded,
            "skipped": tally.skipped,
        },
        "computed",
    )


def _build_days(
    connection: duckdb.DuckDBPyConnection, staged: Staged, days: tuple[date | None, date | None]
) -> Iterator[Fact]:
    if days[0] is None or days[1] is None:
        return
    counts: Counts = {"first_day": days[0], "last_day": days[1]}
    message = N_("from {first_day} to {last_day}")
    if staged.kind == "contacts":
        per_weekday = dict(
            connection.execute(
                "SELECT isodow(local_start), count(*) FROM read_contacts GROUP BY 1"
            ).fetchall()
        )
        counts["weekdays"] = {day: per_weekday.get(day, 0) for day in range(1, 8)}
        message = N_("from {first_day} to {last_day}; Monday to Sunday: {weekdays}")
    if staged.time_missing:
        counts["time_missing"] = staged.time_missing
        message = N_(
            "from {first_day} to {last_day}; {time_missing} without a time of day, joined to the "
            "last contact of that day"
        )
        if staged.kind == "contacts":
            message = N_(
                "from {first_day} to {last_day}; Monday to Sunday: {weekdays}; {time_missing} "
                "without a time of day, in no half-hour"
            )
    yield _rest_on(staged, "days", message, counts, "default")


def _build_contact_facts(
    connection: duckdb.DuckDBPyConnection, staged: Staged, headline: Counts, scope: str | None
) -> Iterator[Fact]:
    times = ", ".join(f"median({name}) FILTER ({name} > 0)" for name in _TIMES)
    contacts, with_customer, advisors, with_advisor, csat, scale, nps, *medians = (
        connection.execute(
            "SELECT count(*), count(customer_key), count(DISTINCT advisor), count(advisor), "
            f"count(csat), max(csat_scale), count(nps), {times} FROM read_contacts"
        ).fetchone()
    )

    def count_by(name: str) -> Counts:
        return dict(
            connection.execute(
                f"SELECT {name}, count(*) FROM read_contacts WHERE {name} IS NOT NULL "
                "GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
        )

    directions, outcomes = count_by("direction"), count_by("outcome")
    yield _rest_on(staged, "direction", N_("direction: {ways}"), {"ways": directions}, "default")
    counts = {**headline, "outcomes": outcomes}
    yield _rest_on(staged, "outcome", N_("how they ended: {outcomes}"), counts, "default")
    if with_customer:
        customers, most = connection.execute(
            "SELECT count(*), max(n) FROM (SELECT count(*) AS n FROM read_contacts "
            "WHERE customer_key IS NOT NULL GROUP BY customer_key)"
        ).fetchone()
        counts = {"customers": customers, "share": round(most / with_customer, 4)}
        message = N_("{customers} customers; the commonest has {share} of the contacts")
        yield _rest_on(staged, "customers", message, counts, "computed")
    if with_advisor or "advisor" in staged.columns:
        counts: Counts = {"advisors": advisors, "contacts": with_advisor}
        message = N_("{advisors} advisors on {contacts} contacts")
        if handlers := count_by("handled_by"):
            counts["handlers"] = handlers
            message = N_("{advisors} advisors on {contacts} contacts; by: {handlers}")
        yield _rest_on(staged, "answered_by", message, counts, "computed")
    for name, median in zip(_TIMES, medians, strict=True):
        if median is not None:
            unit = staged.settled.get("units", {}).get(name, "s")
            counts = {"field": name, "unit": unit, "median": round(median, 1)}
            message = N_("{field}: median {median} s, written in {unit}")
            yield _rest_on(staged, name, message, counts, "computed")
    duplicates = staged.accepted - contacts
    message, basis = N_("every row is a contact"), "default"
    if "contact_id" in staged.columns:
        message, basis = N_("rows with the same id are one contact: {contacts} contacts"), "column"
        if scope:
            message = N_("rows with the same id and day are one contact: {contacts} contacts")
    counts = {"contacts": contacts, "duplicates": duplicates}
    column = staged.mapping.get("contact_id")
    yield Fact("identity", message, counts, basis, column, _sample(staged, "contact_id"))
    if csat or nps:
        counts = {"csat": csat, "nps": nps, "scale": scale}
        message = N_("ratings: {csat} of satisfaction on {scale}, {nps} of recommendation")
        yield _rest_on(staged, "ratings", message, counts, "computed")


def _rest_on(staged: Staged, fact: str, message: str, counts: Counts, otherwise: str) -> Fact:
    """Build a fact on the first column of the file that gives it."""
    sources = _SOURCES.get(fact, (fact, *(_BY_DURATION if fact in _TIMES else ())))
    name = next((name for name in sources if name in staged.mapping), None)
    if name is None:
        return Fact(fact, message, counts, otherwise)
    column = staged.mapping[name]
    basis = "column"
    if column in staged.words:
        basis = "words"
    elif name in _BY_DURATION:
        basis = "computed"
    return Fact(fact, message, counts, basis, column, _sample(staged, name))


def _sample(staged: Staged, name: str) -> tuple[str, ...]:
    if name in _NOT_SHOWN:
        return ()
    column = staged.mapping.get(name, "")
    cells = (cells.get(column) or cells.get(name) for cells in staged.before.values())
    return tuple(dict.fromkeys(filter(None, cells)))[:MAX_SAMPLES]


def tell_row(kind: str, row: ShownRow) -> str:
    """Format a row as it was understood, as a sentence in the current language."""
    values = {name: value for name, value in row.values.items() if name not in _NOT_SHOWN}
    start = values.get("local_start")
    if kind != "contacts" or start is None:
        shown = " · ".join(
            _("{what}: {text}", what=field_titles.find_title(name), text=_tell_value(name, value))
            for name, value in values.items()
            if name != "started_at" or start is None  # which is the same moment
        )
        return _("Line {line}: {values}.", line=row.line, values=shown)
    parts = [
        formatting.name("direction", values.get("direction") or "inbound"),
        formatting.name("channel", values.get("channel") or "phone"),
    ]
    for name in _TOLD:
        if values.get(name) is not None:
            value = values[name]
            shown = formatting.duration(value) if name in _TIMES else value
            parts.append(f"{uncapitalise(field_titles.find_title(name))} {shown}")
    if values.get("outcome"):
        parts.append(formatting.name("outcome", values["outcome"]))
    shown = ", ".join((formatting.moment(start), *parts))
    return _("Line {line}: {values}.", line=row.line, values=shown)


def _tell_value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return field_titles.find_title_of_meaning("yes" if value else "no")
    if name.endswith("_seconds"):
        return formatting.duration(value)
    if isinstance(value, datetime):
        return formatting.moment(_to_local(name, value))
    if isinstance(value, date):
        return formatting.day(value, year=True)
    if isinstance(value, float):
        return formatting.number(value, 0 if value.is_integer() else 2)
    return formatting.name(name, value) if name in formatting.NAMES else str(value)


def _to_local(name: str, moment: datetime) -> datetime:
    """Convert a moment of a row to the centre's clock; `local_start` is by it already."""
    return moment if name == "local_start" else environment.to_local(moment.replace(tzinfo=UTC))


_TOLD = ("queue", "customer_key", "advisor", "wait_seconds", "talk_seconds")


def _show(name: str, value: Any) -> str:
    if name == "weekdays":
        return " · ".join(map(formatting.number, value.values()))
    if isinstance(value, Mapping):
        dimension = {"ways": "direction", "handlers": "handled_by"}.get(name, "outcome")
        named = (
            f"{formatting.name(dimension, key)} {formatting.number(count)}"
            for key, count in value.items()
        )
        return ", ".join(named) or _(NO_COLUMN)
    if name == "share":
        return formatting.percent(value)
    if name == "field":
        return field_titles.find_title(value)
    if isinstance(value, date):
        return formatting.day(value, year=True)
    is_number = isinstance(value, (int, float))
    return formatting.number(value) if is_number else str(value or "–")


def _as_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): count for name, count in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def find_rows(staged: Staged) -> tuple[ShownRow, ...]:
    """Read the first rows as the file has them and as they were understood."""
    if not staged.before:
        return ()
    rows = pq.read_table(staged.rows, filters=[("line", "in", list(staged.before))]).to_pylist()
    typed = {row["line"]: row for row in reversed(rows)}  # of several on a line, the first
    return tuple(ShownRow(line, staged.before[line], _mask(typed[line])) for line in sorted(typed))


def _mask(row: dict[str, Any]) -> dict[str, Any]:
    hidden = {name: MASK for name in FREE_TEXT if row.get(name)}
    if row.get("customer_key"):
        hidden["customer_key"] = f"•• {row['customer_key'][-2:]}"
    return {
        name: hidden.get(name, value)
        for name, value in row.items()
        if name not in ("line", "excluded_line") and value is not None
    }


def find_days(
    connection: duckdb.DuckDBPyConnection, staged: Staged
) -> tuple[date | None, date | None]:
    for clock in ("local_start", "answered_at"):
        if clock in staged.columns:
            ends = connection.execute(f"SELECT min({clock}), max({clock}) FROM staged").fetchone()
            first, last = (end and _to_local(clock, end).date() for end in ends)
            return first, last
    if "day" in staged.columns:
        return connection.execute("SELECT min(day), max(day) FROM staged").fetchone()
    return None, None
