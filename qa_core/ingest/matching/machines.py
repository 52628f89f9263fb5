"""Handlers of the contacts of a file, people or machines: by the file, by the roster, or by a
question where a name, hours or concurrent calls look like a machine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from qa_core.base.errors import Refusal
from qa_core.centre import members
from qa_core.centre.advisors import AdvisorReference, Directory
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns.taught_words import split_word
from qa_core.ingest.staging.staged import Staged
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.schema import Handler, Outcome
from qa_core.storage.lake.tables import quote
from qa_core.storage.records.store import Session

ADVISOR_COLUMNS = ("advisor", "advisor_name")
PLACES = ("queue", "channel")
CALLS = ("phone", "chat", "chatbot", "video")
"""Channels whose contacts begin when somebody answers; a mail waits for office hours."""
MIN_DAY_CONTACTS, MIN_DAY_HOURS = 18, 18
"""Contacts and different hours of one day from which on nobody works it alone."""
MIN_TOGETHER, MIN_TALK_SECONDS, MIN_CROWDED, MAX_CROWDED_SHARE = 3, 60, 5, 0.1
"""Calls of a minute that nobody takes together, if each is long; how many such minutes, and
their share of an advisor's calls, from which on they are no accident.
"""
MIN_MINUTES = 30
"""Different minutes in the starts of a file below which its times are rounded."""
MAX_TIRELESS, MAX_TIRELESS_SHARE = 3, 0.25
"""Advisors who answer so, or their share, above which the clock of the file says nothing."""
BETWEEN_NAMES = "|"
"""Sign between the names of one `--word`."""
MACHINE_OR_PERSON = "machine_or_person"
"""Code of the question."""


def _compile(*lists: str) -> re.Pattern[str]:
    words = sorted(word for name in lists for word in list_words(name))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\d*\b")


_PLACE_WORDS, _ADVISOR_WORDS = _compile("machines"), _compile("machines", "machine_advisors")
_AI = re.compile(r"(?<!\w)(?:IA|AI)(?!\w)")


def is_machine_name(text: str, is_advisor: bool = True) -> bool:
    """Return whether a name has a word for a machine; `AI` only in capitals beside others."""
    words = _ADVISOR_WORDS if is_advisor else _PLACE_WORDS
    return bool(words.search(simplify(text)) or (_AI.search(text) and text != text.upper()))


@dataclass(frozen=True)
class Answers:
    """Meanings that somebody gave to names of a file: field → simplified name → handler."""

    by_field: Mapping[str, Mapping[str, Handler]]

    @staticmethod
    def read(staged: Staged, options: ImportOptions) -> "Answers":
        fields = {simplify(name): name for name in (*ADVISOR_COLUMNS, *PLACES)}
        fields |= {
            simplify(staged.mapping[name]): name
            for name in fields.values()
            if name in staged.mapping
        }
        by_field: dict[str, dict[str, Handler]] = {}
        for text, meaning in options.words.items():
            pair = split_word(text, fields)
            if pair and meaning.strip().casefold() in tuple(Handler):
                given = by_field.setdefault(fields[simplify(pair[0])], {})
                names = map(simplify, pair[1].split(BETWEEN_NAMES))
                given |= dict.fromkeys(names, Handler(meaning.strip().casefold()))
        return Answers(by_field)

    def find(self, field: str, text: str | None) -> Handler | None:
        return self.by_field.get(field, {}).get(simplify(text)) if text else None

    def find_advisor(self, reference: AdvisorReference) -> Handler | None:
        """Find what was said of an advisor, by the text or the name beside it."""
        pairs = zip(ADVISOR_COLUMNS, reference, strict=True)
        return next(filter(None, (self.find(*pair) for pair in pairs)), None)

    def find_kinds(self, ids: Mapping[AdvisorReference, str]) -> dict[str, str]:
        """Find the kind of each advisor that was said to be a person or a machine."""
        said = {key: self.find_advisor(reference) for reference, key in ids.items()}
        return {key: handler for key, handler in said.items() if handler in ("person", "machine")}


def join_names(column: str, names: Sequence[str], handler: Handler) -> str:
    """Write what the names of a column are as an option of the command line."""
    return f"--word {column}:{BETWEEN_NAMES.join(names)}={handler}"


def settle(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: ImportOptions, session: Session
) -> Answers:
    """Complete `handled_by` of the staged rows from their queues and channels; a contact of a
    machine alone keeps no advisor. Raises Refusal where a name looks like a machine and
    neither the file nor the roster nor the options say.
    """
    answers, handlers = find_answers(connection, staged, options, session)
    has_names = any(name in staged.columns for name in (*ADVISOR_COLUMNS, *PLACES))
    if has_names and ("handled_by" in staged.columns or handlers):
        _complete(connection, staged, handlers)
    return answers


def find_answers(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: ImportOptions, session: Session
) -> tuple[Answers, Mapping[tuple[str, str], Handler]]:
    """Find what was said of the names of a file, and which queues and channels are machines.
    Raises Refusal as `settle`.
    """
    answers = Answers.read(staged, options)
    handlers, asked_places = _find_places(connection, staged, answers)
    asked = [*_find_advisors(connection, staged, answers, session), *asked_places]
    if asked:
        by_column: dict[str, list[str]] = {}
        for field, name in asked:
            by_column.setdefault(staged.mapping.get(field, field), []).append(name)
        raise Refusal(
            MACHINE_OR_PERSON,
            "{names} may be machines. Say which are people and which are machines. The list of "
            "advisors can say it too, in the column kind.",
            options=(
                *(
                    join_names(column, names, handler)
                    for column, names in by_column.items()
                    for handler in (Handler.MACHINE, Handler.PERSON)
                ),
                *(
                    ("import advisors FILE",)
                    if any(f in ADVISOR_COLUMNS for f, _n in asked)
                    else ()
                ),
            ),
            names=", ".join(name for _field, name in asked),
            by_column=by_column,
        )
    return answers, handlers


def find_handlers(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: ImportOptions, session: Session
) -> dict[tuple[str, str], Handler]:
    """Find the handlers of queues and channels, and of the advisors who are machines, by what
    was said of them or by the roster. Raises Refusal as `settle`.
    """
    answers, handlers = find_answers(connection, staged, options, session)
    kinds, directory = members.find_kinds(session), Directory.load(session)
    found = dict(handlers)
    for field, name in _list_names(connection, staged, ADVISOR_COLUMNS):
        kind = answers.find(field, name) or kinds.get(directory.find(name, None))
        if kind == Handler.MACHINE:
            found[field, name] = Handler.MACHINE
    return found


def _find_places(
    connection: duckdb.DuckDBPyConnection, staged: Staged, answers: Answers
) -> tuple[dict[tuple[str, str], Handler], list[tuple[str, str]]]:
    """Find the queues and channels that are machines, and those to be asked about."""
    handlers: dict[tuple[str, str], Handler] = {}
    asked, system = [], staged.select_system()
    for field, name in _list_names(connection, staged, PLACES):
        handler = answers.find(field, name)
        if handler is None and is_machine_name(name, is_advisor=False):
            stored = connection.execute(
                f"SELECT count(*), min(nullif(handled_by, '{Handler.PERSON}')) FROM contacts "
                f"WHERE {field} = ? AND source_system IN (SELECT {system} FROM staged)",
                [name],
            ).fetchone()
            if not stored[0]:
                asked.append((field, name))
            handler = stored[1] and Handler(stored[1])
        if handler is not None:
            handlers[field, name] = Handler(handler)
    return handlers, asked


def _list_names(
    connection: duckdb.DuckDBPyConnection, staged: Staged, fields: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """List the names on contacts where the file does not say who took them."""
    for field in fields:
        if field in staged.columns:
            names = _find_names(connection, staged, field)
            yield from ((field, name) for (name,) in names if name)


def _find_names(
    connection: duckdb.DuckDBPyConnection, staged: Staged, *columns: str
) -> list[tuple[Any, ...]]:
    """Find the different values of these columns together, once for all who ask."""
    if columns not in staged.names:
        rows = f"SELECT DISTINCT {', '.join(columns)} FROM staged WHERE {_unsaid(staged)}"
        staged.names[columns] = connection.execute(f"{rows} ORDER BY ALL").fetchall()
    return staged.names[columns]


def _unsaid(staged: Staged) -> str:
    return f"{staged.select_column('handled_by')} IS NULL"


def _find_advisors(
    connection: duckdb.DuckDBPyConnection, staged: Staged, answers: Answers, session: Session
) -> list[tuple[str, str]]:
    """Find the advisors to be asked about, each with the column that names it best."""
    fields = [name for name in ADVISOR_COLUMNS if name in staged.columns]
    if not fields:
        return []
    text, name = (staged.select_column(field) for field in ADVISOR_COLUMNS)
    references = _find_names(connection, staged, text, name)
    if staged.tireless is None:
        staged.tireless = _find_tireless(connection, staged, f"coalesce({text}, {name})")
    is_rare = len(staged.tireless) <= max(MAX_TIRELESS, MAX_TIRELESS_SHARE * len(references))
    tireless = staged.tireless if is_rare else frozenset()
    suspects = [
        (
            reference,
            next((part for part in reversed(reference) if part and is_machine_name(part)), ""),
        )
        for reference in references
        if any(reference)
    ]
    suspects = [pair for pair in suspects if pair[1] or (pair[0][0] or pair[0][1]) in tireless]
    if not suspects:
        return []
    directory = Directory.load(session)
    kinds = members.find_kinds(session)
    asked: dict[tuple[str, str], None] = {}
    for reference, named in suspects:
        known = kinds.get(directory.find(*reference))
        if known is None and answers.find_advisor(reference) is None:
            shown = named or reference[1] or reference[0]
            asked[fields[0] if shown == reference[0] else fields[-1], shown] = None
    return list(asked)


def _find_tireless(
    connection: duckdb.DuckDBPyConnection, staged: Staged, advisor: str
) -> frozenset[str]:
    """Find the advisors who answer around the clock, or several long calls in one minute."""
    outcome, channel = staged.select_column("outcome"), staged.select_column("channel")
    talk = staged.select_column("talk_seconds", kind="DOUBLE")
    is_call = f"{channel} IS NULL OR {channel} = 'phone'"
    calls = (
        f"SELECT {advisor} AS who, local_start AS began, ({is_call}) AND {talk} >= "
        f"{MIN_TALK_SECONDS} AS is_long FROM staged WHERE {_unsaid(staged)} AND {advisor} IS NOT "
        f"NULL AND coalesce({outcome}, '{Outcome.ANSWERED}') = '{Outcome.ANSWERED}' AND "
        f"coalesce({channel}, 'phone') IN {CALLS}"
    )
    around_the_clock = (
        "SELECT who FROM (SELECT who, count(*) AS n, count(DISTINCT hour(began)) AS hours FROM "
        f"calls GROUP BY who, CAST(began AS DATE)) WHERE n >= {MIN_DAY_CONTACTS} GROUP BY who "
        f"HAVING 2 * count(*) FILTER (WHERE hours >= {MIN_DAY_HOURS}) >= count(*)"
    )
    is_crowded = f"FILTER (WHERE together >= {MIN_TOGETHER})"
    crowded = (
        "SELECT who FROM (SELECT who, count(*) AS n, count(*) FILTER (WHERE is_long) AS together "
        "FROM calls GROUP BY who, date_trunc('minute', began)) GROUP BY who HAVING "
        f"count(*) {is_crowded} >= {MIN_CROWDED} AND "
        f"sum(together) {is_crowded} >= {MAX_CROWDED_SHARE} * sum(n)"
    )
    rows = (
        f"WITH calls AS ({calls}) SELECT who FROM ({around_the_clock} UNION {crowded}) WHERE "
        f"(SELECT count(DISTINCT minute(began)) FROM calls) >= {MIN_MINUTES}"
    )
    return frozenset(who for (who,) in connection.execute(rows).fetchall())


def _complete(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    handlers: Mapping[tuple[str, str], Handler],
) -> None:
    """Replace the view `staged` by rows with `handled_by`, and without advisors of machines."""
    handled = select_handled(staged, handlers)
    kept = ", ".join(
        f"CASE WHEN h.handled IS DISTINCT FROM '{Handler.MACHINE}' THEN h.{name} END AS {name}"
        for name in ADVISOR_COLUMNS
        if name in staged.columns
    )
    left_out = [name for name in (*ADVISOR_COLUMNS, "handled_by") if name in staged.columns]
    replaced = ", ".join((*left_out, "handled"))
    connection.execute(
        f"CREATE TEMP TABLE staged_handled AS SELECT * EXCLUDE ({replaced}), "
        f"handled AS handled_by{', ' if kept else ''}{kept} FROM "
        f"(SELECT s.*, {handled} AS handled FROM staged s) h"
    )
    connection.execute("CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM staged_handled")
    if "handled_by" not in staged.columns:
        staged.columns = (*staged.columns, "handled_by")


def select_handled(staged: Staged, handlers: Mapping[tuple[str, str], Handler]) -> str:
    """Build SQL for who took a row of `staged s`, by the handlers of names by field. A queue
    that is a machine passed a contact on where an advisor took it.
    """

    def find(*fields: str) -> str:
        cases = (
            f"WHEN s.{field} = {quote(name)} THEN '{handler}'"
            for (field, name), handler in handlers.items()
            if field in fields
        )
        listed = " ".join(cases)
        return f"CASE {listed} END" if listed else "CAST(NULL AS VARCHAR)"

    place, own = find(*PLACES), find(*ADVISOR_COLUMNS)
    person = [f"s.{name}" for name in ADVISOR_COLUMNS if name in staged.columns]
    has_person = f"coalesce({', '.join(person)}) IS NOT NULL" if person else "false"
    passed_on = f"{place} = '{Handler.MACHINE}' AND {has_person}"
    return (
        f"coalesce({staged.select_column('handled_by', 's.')}, {own}, CASE WHEN {passed_on} THEN "
        f"'{Handler.MACHINE_THEN_PERSON}' ELSE {place} END)"
    )
