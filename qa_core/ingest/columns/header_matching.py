"""Matching of columns to fields by synonyms of headers, and units and scales in headers."""

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import cache

from qa_core.base.errors import Refusal, build_unlisted
from qa_core.base.i18n import N_
from qa_core.files.header_text import separate_words, simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns import vocabulary
from qa_core.ingest.columns.durations import OTHER_UNIT
from qa_core.ingest.columns.numbers import CURRENCY, CURRENCY_SIGNS
from qa_core.ingest.columns.timestamps import parse_period
from qa_core.ingest.staging.declaration import (
    Column,
    Field,
    Header,
    Profile,
    ValueType,
    build_fields,
)
from qa_core.ingest.words.tables import index_words, list_words

Hit = tuple[Field, int]
"""A field, and the rank of the synonym that names it."""
Vocabulary = Mapping[str, Hit]
_UNITS = index_words("units", str)
_COUNTED_UNIT = re.compile(rf"\b(1 10+|x?\d+) ?({'|'.join(_UNITS)})\b")
"""Unit with a number before it: `1/10 s`, `100 ms`, `6 sec increments`."""
_PARTS_OF_SECOND = {
    ("1", "s"): "s", ("1", "ms"): "ms", ("1", "min"): "min",
    ("1 10", "s"): "ds", ("100", "ms"): "ds", ("1 100", "s"): "cs", ("10", "ms"): "cs",
    ("1 1000", "s"): "ms",
}  # fmt: skip
_HOURS = ("h", "hr", "hrs", "heure", "heures", "hour", "hours")
_LINKS = list_words("links")
_TIMES = (
    ("temps", "duree", "durees", "tps", "t"), ("tiempo", "duracion", "t"),
    ("tempo", "durata", "duracao", "t"),
)  # fmt: skip
"""Words for a time in one language; tools write any of them: `Tps de parole`, `Durée de parole`."""
COUNTS = list_words("counts")
"""First words of headers of counts: `Nombre d'appels`."""
_OUTER = re.compile(
    r"^(?:attribution|data|dimensions|durations?|metrics?|properties|segments?|stats|statistics|"
    r"times|timings?|utm)\."
)
"""Name of an object that only groups the fields in it: `metrics.offered` of JSON."""
_RANGE = re.compile(r"\b(\d{1,3})\s*(?:-|–|à|to)\s*(\d{1,3})\b")
_ENDS = re.compile(
    r"[(\[]\s*([01])\s*[=:]?\s*(?!of\b|sur\b|in\b|von\b|de\b|di\b|pt|point)[^\W\d_][^\d/]*"
    r"[\s=:,;–-](\d{1,2})\s*[=:]?\s*[^\W\d_]\D*[)\]]"
)
"""Scale by the words of its ends: `(1 sad - 3 happy)`."""
_OUT_OF = re.compile(
    r"(?:(?<!\d)/|\bsur |\bout of |\b[Mm][aá]x\.? )\s*(\d{1,3})\b|"
    r"[(\[](\d{1,3}) ?(?:pts?|points?|punkte|puntos|pontos|punti|punten)\.?[)\]]"
)
_BRACKETS = re.compile(r"[\(\[].*?[\)\]]")
_INCLUDING = list_words("including")
_CLOCK = re.compile(r"[\(\[]h{0,2}:?m{1,2}:ss?[\)\]]", re.IGNORECASE)
_FLAG_MARKS = re.compile(
    r"^(?:(?:is|was|has|call|calls|appel|est|contact|a ete) )+|"
    r"(?: (?:flag|yn|y n|yes no|oui non|o n|indicator|ind|bool|boolean|call|calls|appel|count))+$"
)
_OF_CONTACT = re.compile(
    r"^(?:(?:calls?|appels?|contacts?|interaction|conversation) )+|"
    r"(?: (?:calls?|appels?|contacts?|interaction|conversation|llamada|chamada|chiamata))+$"
)
"""Words beside the name of a field that add nothing: `Call talk time`."""
_RECEIVED = re.compile(r"^(?:inbound|incoming|entrante?s?) ")
"""Word before the name of a count of contacts received: `Entrants répondus`."""
_ADDS_NOTHING = re.compile(r"^(?:q\d{1,2} (?!score)|actual )(?=\w)")
"""Word before a name that adds nothing: `Q1_CSAT`, `Actual AHT` beside a forecast. `Q1 Score` is
the score of one question.
"""
_FLAGS = (ValueType.FLAG, ValueType.BOOLEAN)
RATINGS = ("csat", "nps", "ces")
_RATED = (ValueType.MARK, ValueType.CRITERION)
OTHER_LANGUAGE = 100
"""Rank of a synonym in another language: the last."""
BESIDE_CONTACT = OTHER_LANGUAGE + 1
"""Rank of a synonym beside a word such as `call`."""
MAX_SHOWN, MIN_PERIODS = 30, 3
_PERIOD = re.compile(
    r"(?:\d{1,2} ?[hH:]\d{0,2}(?: ?[-–/à] ?\d{1,2} ?[hH:]\d{0,2})?|"
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d{2}-\d{2})"
)
"""Header of a column for one hour or one day."""
MIN_JOINED = 7
"""Letters from which on a header may be written as one word: `talktime`."""
_STATE_LOG = ("state_headers", "state_starts", "state_ends")
"""Lists of the headers that a log of advisors' states has together."""


def parse_header(text: str) -> Header:
    """Split a header: `Call_Duration_Min` in minutes, `Note (1-5)` on 1–5, `Accueil /2` of 2."""
    whole, plain = simplify(text), separate_words(text)
    scale, out_of = _RANGE.search(plain) or _ENDS.search(plain), _OUT_OF.search(plain)
    bare = _BRACKETS.sub(" ", plain)
    words = simplify(_OUT_OF.sub(" ", bare) if bare.strip() else text)
    words = _ADDS_NOTHING.sub("", words).split()
    brackets = [simplify(bracket) for bracket in _BRACKETS.findall(text)]
    in_brackets = (_UNITS.get(word) for bracket in brackets for word in bracket.split())
    unit = next(filter(None, in_brackets), None)
    if counted := next(filter(None, map(_COUNTED_UNIT.search, brackets)), None):
        unit = _PARTS_OF_SECOND.get((counted[1].lstrip("x"), _UNITS[counted[2]]), OTHER_UNIT)
    if unit is None and any(bracket in _HOURS for bracket in brackets):
        unit = "h"
    if len(words) > 2 and words[-1] in _HOURS and words[-2] in ("in", "en"):
        unit, words = "h", words[:-2]
    if len(words) > 1 and words[-1] in ("utc", "gmt"):
        words.pop()
    if len(words) > 1 and words[-1] in _UNITS:
        unit = _UNITS[words.pop()]
        if len(words) > 1 and words[-1] in ("in", "en"):
            words.pop()
    currency = CURRENCY.search(plain)
    if currency and len(words) > 1 and words[-1] == currency[0].lower():
        words.pop()
    return Header(
        text,
        " ".join(words) or whole,
        unit,
        f"{int(scale[1])}-{int(scale[2])}" if scale and int(scale[1]) < int(scale[2]) else None,
        float(out_of[1] or out_of[2]) if out_of else None,
        CURRENCY_SIGNS.get(currency[0].upper(), currency[0].upper()) if currency else None,
    )


_UMLAUT = re.compile(r"(?<![aeq])([aou])e")
"""Umlaut of a tool without such letters: `Gespraechsdauer`."""


@cache
def build_vocabulary(fields: tuple[Field, ...]) -> dict[str, Hit]:
    """Index fields by simplified header, with the rank of that synonym (0 is the best)."""
    vocabulary: dict[str, Hit] = {}
    for field in fields:
        for rank, spelling in enumerate((field.name, *filter(None, field.synonyms.split("|")))):
            parsed = parse_header(spelling)
            for words in (simplify(spelling), parsed.words if parsed.unit else ""):
                if words and words not in vocabulary:
                    vocabulary[words] = (field, rank)
    for field in fields:
        for spelling in filter(None, field.other_synonyms.split("|")):
            vocabulary.setdefault(simplify(spelling), (field, OTHER_LANGUAGE))
    for words, hit in list(vocabulary.items()):
        vocabulary.setdefault(_drop_links(words), hit)
        kind, _space, rest = words.partition(" ")
        if rest and kind in ("n", "numero"):
            for other in ("n", "no"):
                vocabulary.setdefault(f"{other} {rest}", hit)
        if rest and hit[0].value_type == ValueType.DURATION:
            for other in {other for words in _TIMES if kind in words for other in words}:
                vocabulary.setdefault(_drop_links(f"{other} {rest}"), hit)
    for words, hit in list(vocabulary.items()):
        if len(words) >= MIN_JOINED:
            joined = words.replace(" ", "")
            vocabulary.setdefault(joined, hit)
            if hit[0].value_type == ValueType.DURATION:
                vocabulary.setdefault(f"{joined}seconds", hit)  # inqueueseconds
    return vocabulary


def _drop_links(words: str) -> str:
    """Drop articles and "number of": `nombre d appels recus` becomes `appels recus`."""
    content_words = [word for word in words.split() if word not in _LINKS]
    if len(content_words) > 1 and content_words[0] in COUNTS:
        return " ".join(content_words[1:])
    return " ".join(content_words) if len(content_words) > 1 else words


def count_known(cells: Iterable[str], vocabulary: Vocabulary) -> int:
    """Count the different fields that these cells would name."""
    hits = (find_field(parse_header(cell), vocabulary) for cell in cells if cell.strip())
    return len({hit[0].name for hit in hits if hit})


def score_rows(rows: Iterable[Iterable[str]], *vocabularies: Vocabulary) -> int:
    """Count the fields that the best of these rows would name as a header."""
    return max(
        (count_known(row, vocabulary) for row in rows for vocabulary in vocabularies), default=0
    )


def find_field(header: Header, vocabulary: Vocabulary) -> Hit | None:
    """Find the field that a header names, exactly or but for its unit."""
    whole = _ADDS_NOTHING.sub("", simplify(header.text))
    flag = vocabulary.get(_FLAG_MARKS.sub("", whole))
    plain = simplify(header.text.rpartition(": ")[2]) if ": " in header.text else header.words
    own = vocabulary.get(_drop_links(_OF_CONTACT.sub("", plain)))
    count = vocabulary.get(_RECEIVED.sub("", header.words.removesuffix(" count")))
    has_unit = header.unit or _CLOCK.search(header.text)
    if has_unit:
        # Queue (m:ss) is the time there.
        time = vocabulary.get(f"{header.words} time")
        if time and time[0].value_type == ValueType.DURATION:
            return time
    known = vocabulary.get(whole)
    if known is None and _names_parts(header) and _is_time_of_work(vocabulary.get(header.words)):
        return None
    hit = (
        known
        or vocabulary.get(header.words)
        or vocabulary.get(_drop_links(whole))
        or vocabulary.get(_drop_links(header.words))
        or (flag if flag and flag[0].value_type in _FLAGS else None)
        or ((own[0], BESIDE_CONTACT) if own and own[0].value_type not in _RATED else None)
        or (count if count and count[0].value_type == ValueType.WHOLE else None)
        or vocabulary.get(parse_header(_OUTER.sub("", header.text)).words)
        or vocabulary.get(_UMLAUT.sub(r"\1", header.words))
    )
    if hit is None and "." in header.text:  # answers.csat
        hit = vocabulary.get(simplify(header.text.rpartition(".")[2]))
        hit = hit if hit and hit[0].name in RATINGS else None
    in_two_languages = separate_words(header.text).split(" / ")
    if hit is None and in_two_languages[1:]:
        halves = [vocabulary.get(parse_header(half).words) for half in in_two_languages]
        hit = halves[0] if all(halves) and len({half[0].name for half in halves}) == 1 else None
    if hit and hit[0].value_type == ValueType.DURATION and header.text.rstrip().endswith("#"):
        return vocabulary.get(f"{header.words} id")  # Call #
    is_time = hit and has_unit and hit[0].name == "queue"  # Warteschlange (Sek.)
    return vocabulary.get("wait seconds") if is_time else hit


def name_field(text: str, fields: tuple[Field, ...]) -> str:
    """Return the name of the field that a header names; empty where it names none of these."""
    hit = find_field(parse_header(text), build_vocabulary(fields))
    return hit[0].name if hit else ""


def _names_parts(header: Header) -> bool:
    """Return whether brackets say what is in a time and what is not: `Talk (incl. hold)`."""
    brackets = " ".join(_BRACKETS.findall(header.text))
    return not _INCLUDING.isdisjoint(simplify(brackets).split())


def _is_time_of_work(hit: Hit | None) -> bool:
    return bool(hit) and hit[0].value_type == ValueType.DURATION and "wait" not in hit[0].name


def match_columns(
    profile: Profile, headers: list[str], requested: Mapping[str, str], ignored: Iterable[str] = ()
) -> dict[str, Column]:
    """Map field names to columns: as requested, then by synonym, the best first;
    without the columns of `ignored`. Raises Refusal `unknown_field`, `unknown_column`,
    `unknown_headers`, `missing_column`.
    """
    parsed = [parse_header(text) for text in headers]
    columns = {
        name: _find_requested(profile, name, column, parsed) for name, column in requested.items()
    }
    used = {column.index for column in columns.values()} | find_ignored(headers, ignored)
    vocabulary = build_vocabulary(profile.fields)
    hits = [
        (hit[1], index, hit[0])
        for index, header in enumerate(parsed)
        if index not in used and (hit := find_field(header, vocabulary))
    ]
    for _rank, index, field in sorted(hits, key=lambda hit: hit[:2]):
        if field.name not in columns and index not in used:
            columns[field.name] = Column(field, index, parsed[index])
            used.add(index)
    if profile.claim:
        left = find_ignored(headers, ignored)
        profile.claim(tuple("" if at in left else text for at, text in enumerate(headers)), columns)
    _require_needed(profile, headers, columns)
    return columns


def refit_columns(
    profile: Profile,
    columns: dict[str, Column],
    requested: Mapping[str, str],
    headers: list[str],
    rows: Iterable[list[str]],
) -> None:
    """Move columns to the field that their cells fill: a moment under `Call answered`."""
    rows = list(rows)
    _prefer_clocks(profile, columns, requested, headers, rows)
    _claim_slots(profile, columns, headers, rows)
    for name in [name for name in columns if name not in requested]:
        index, header = columns[name].index, columns[name].header
        if columns[name].field.value_type == ValueType.CRITERION and _OF_RECORD.search(
            header.words
        ):
            cells = {row[index].strip() for row in rows if index < len(row)} - {"0", "1"}
            if any(map(_DIGIT.search, cells)):  # an id or a date, not `ID checked`
                del columns[name]
    for name, looks_other, other in _REFITS:
        field = profile.get_field(other)
        if name not in columns or name in requested or (other and field is None):
            continue
        is_dropped = columns[name].field.value_type == ValueType.FLAG
        # A column that is named like the field holds ids, whatever they look like.
        is_dropped |= name == "contact_id" and columns[name].header.text != name
        if not other and not is_dropped:
            continue
        index = columns[name].index
        cells = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
        if not cells or sum(bool(looks_other(cell)) for cell in cells) < _MAX * len(cells):
            continue
        column = columns.pop(name)
        if other and other not in columns:
            columns[other] = Column(field, index, column.header)


def _prefer_clocks(
    profile: Profile,
    columns: dict[str, Column],
    requested: Mapping[str, str],
    headers: list[str],
    rows: list[list[str]],
) -> None:
    """Take, of two columns for an answer or an end, the time of day rather than the date."""

    def has_clock(index: int) -> bool:
        return any(_CLOCK_CELL.search(row[index]) for row in rows if index < len(row))

    for name in ("answered_at", "ended_at"):
        if name not in columns or name in requested or has_clock(columns[name].index):
            continue
        for index, text in enumerate(headers):
            if name_field(text, profile.fields) == name and has_clock(index):
                columns[name] = Column(columns[name].field, index, parse_header(text))
                break


def _claim_slots(
    profile: Profile, columns: dict[str, Column], headers: list[str], rows: list[list[str]]
) -> None:
    """Use a column of times such as `09:00 - 09:15` where totals have days alone."""
    used = {column.index for column in columns.values()}
    known = [columns[name].index for name in ("start", "date", "time", "hour") if name in columns]
    if profile.kind != "intervals" or any(
        _CLOCK_CELL.search(row[index]) for row in rows for index in known if index < len(row)
    ):
        return
    for index, text in enumerate(headers):
        cells = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
        is_slot = cells and all(len(cell) > 5 and _SLOT.fullmatch(cell) for cell in cells)
        if text and index not in used and is_slot and not {"time", "hour"} & columns.keys():
            columns["time"] = Column(profile.get_field("time"), index, parse_header(text))


_MAX = 0.8
_CLOCK_CELL = re.compile(r"\d{1,2}:\d{2}")
_MOMENT = re.compile(r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")
_SLOT = re.compile(
    r"(?i)\d{1,2}(?::\d{2}| ?h(?:\d{2})?)(?: ?[ap]m)?(?: ?(?:-|–|to|à|a|bis|al?|tot) ?\d{1,2}.*)?"
)
"""Time of day, or the time from one to another."""
_HALF_DAY = re.compile(r"\d{1,2} ?[AaPp]\.? ?[Mm]\.?")
_WORDS = re.compile(r"[A-Za-zÀ-ÿ]{4,}")
_OF_RECORD, _DIGIT = re.compile(r"\b(?:id|date)\b"), re.compile(r"\d")
_SECONDS = re.compile(r"[1-9]\d{0,2}|0")
_AMOUNT = re.compile(r"0|[2-9]\d?|\d{2,}")
_PHONE = re.compile(r"[+0]?[\d .()-]{8,}")
_ID_CELL = re.compile(r"(?!PT?\d)[A-Za-z]+[-_]?[\w-]*\d[\w-]*|\{?[\da-fA-F]{8}(?:-[\da-fA-F]+)+\}?")
_NAME = re.compile(r"[^\W\d_]{2,}(?:[ ,.'-]+[^\W\d_]+)+\.?")
_SENTENCE = re.compile(r"\S+\s+\S+\s+\S+")
_REFITS = (
    ("handled_by", lambda cell: simplify(cell) not in vocabulary.HANDLERS, "advisor"),
    ("advisor", lambda cell: simplify(cell) in vocabulary.HANDLERS, "handled_by"),
    ("answered", _MOMENT.search, "answered_at"),
    ("answered_at", lambda cell: simplify(cell) in vocabulary.ANSWERS, "answered"),
    ("answered_at", _SECONDS.fullmatch, "talk_seconds"),
    ("hour", lambda cell: _MOMENT.search(cell) or _HALF_DAY.fullmatch(cell), "time"),
    *((name, _AMOUNT.fullmatch, "") for name in ("answered", "abandoned", "missed", "voicemail")),
    ("contact_id", _NAME.fullmatch, ""),
    ("wrap_seconds", _WORDS.search, "reason"),
    ("talk_seconds", _ID_CELL.fullmatch, "contact_id"),
    ("source", _PHONE.fullmatch, "caller"),
    (
        "csat",
        lambda cell: (
            _SENTENCE.search(cell) and not (cell[0].isdigit() or vocabulary.find_mark(cell))
        ),
        "survey_comment",
    ),
    ("date", parse_period, "period"),
    ("start", parse_period, "period"),
    ("period", _SLOT.fullmatch, "time"),
    ("period", _MOMENT.search, "date"),
)


UNCLEAR = "tma"
"""Header of the time to answer in French, of the time to handle in Portuguese and Spanish."""


def require_clear(
    columns: Mapping[str, Column], options: ImportOptions, prefix: str, suffix: str = ""
) -> None:
    """Raise Refusal where one header means the wait in one language and the handle time in
    another, and the language's word for the other is not there. Fields are `average_wait`, or
    `wait_seconds` with that prefix or suffix.
    """
    fields = [f"{prefix}{name}{suffix}" for name in ("wait", "handle")]
    known = {name: columns[name].header for name in fields if name in columns}
    unclear = [name for name, header in known.items() if header.words == UNCLEAR]
    is_stated = options.is_stated or set(unclear) & set(options.columns)
    if unclear and len(known) == 1 and not is_stated:
        column = known[unclear[0]].text
        raise Refusal(
            "unclear_header",
            "{column} may be the time to answer or the time to handle. Say which it is.",
            options=tuple(f"--map {name}={column}" for name in fields),
            column=column,
        )


def find_ignored(headers: list[str], ignored: Iterable[str]) -> set[int]:
    """Find the indexes of columns to leave aside. Raises Refusal for one that there is not."""
    indexes = set()
    for name in ignored:
        matches = _find_headers(headers, name)
        if not matches:
            raise refuse_unknown_column(name, headers)
        indexes.update(matches)
    return indexes


def _find_headers(headers: list[str], name: str) -> list[int]:
    """Find the columns with that header, exactly or else however it is spelt."""
    return [index for index, text in enumerate(headers) if text == name] or [
        index for index, text in enumerate(headers) if simplify(text) == simplify(name)
    ]


def _find_requested(profile: Profile, name: str, column: str, parsed: list[Header]) -> Column:
    field = profile.get_field(name)
    if field is None and profile.kind == "evaluations":
        field = Field(name, ValueType.CRITERION)
    if field is None:
        known = (item.name for item in profile.fields)
        raise build_unlisted("unknown_field", name, known, kind=Refusal)
    headers = [header.text for header in parsed]
    matches = _find_headers(headers, column)
    if not matches:
        options = (f"--map {name}={text}" for text in headers[:8])
        raise refuse_unknown_column(column, headers, *options)
    return Column(field, matches[0], parsed[matches[0]])


ADVISOR_TIME = N_(
    "This looks like log-ins, shifts or states of advisors ({columns}), not contacts. Export "
    "the list of calls of the telephony."
)


def find_states(headers: list[str]) -> list[str]:
    """Find the headers of a log of states (state, start and end); none if one is missing."""
    words = {parse_header(text).words: text for text in headers}
    parts = [[words[word] for word in words if word in list_words(name)] for name in _STATE_LOG]
    return [*itertools.chain(*parts)] if all(parts) else []


def _require_needed(profile: Profile, headers: list[str], columns: Mapping[str, Column]) -> None:
    missing = [group for group in profile.needs if not any(name in columns for name in group)]
    if not missing:
        return
    if profile.kind == "contacts" and "advisor" in columns and (shown := find_states(headers)):
        raise Refusal("not_contacts", ADVISOR_TIME, columns=", ".join(shown))
    if profile.kind == "contacts":
        require_no_advisors(headers, columns)
    if profile.kind == "intervals":
        require_no_crosstab(headers)
    if len(headers) == 1 and (re.search(r"[,;\t|]|\S {2,}\S", headers[0])):
        raise Refusal(
            "one_column",
            "All cells of a line are in one column ({seen}). Open the file in a spreadsheet, split "
            "the column there (text to columns), and save it as CSV.",
            seen=format_headers(headers),
        )
    code = "missing_column" if columns else "unknown_headers"
    has_either = profile.kind in ("tracking", "evaluations")
    names = (group if has_either else group[:1] for group in missing)
    raise refuse_missing_column(code, profile.kind, headers, *itertools.chain(*names))


def require_no_advisors(headers: list[str], columns: Mapping[str, Column]) -> None:
    """Raise Refusal where headers name an advisor, with more of what only an advisor has than
    these columns of a contact.
    """
    vocabulary = build_vocabulary(build_fields("advisors"))
    hits = [(find_field(parse_header(text), vocabulary), text) for text in headers if text]
    named = {hit[0].name: text for hit, text in hits if hit}
    is_person = not named.keys().isdisjoint(("advisor_id", "name", "last_name"))
    is_member = not named.keys().isdisjoint(("team", "site", "from", "to"))
    if is_person and is_member and len(named) > len(columns):
        raise Refusal(
            "not_contacts",
            "This looks like a list of advisors ({columns}), not contacts. Import it as advisors.",
            options=("python -m qa_core import advisors FILE",),
            columns=", ".join(named.values()),
        )


def require_no_crosstab(headers: list[str]) -> None:
    """Raise Refusal where the columns of a table are hours, days or months."""
    periods = [text for text in headers if _PERIOD.fullmatch(text.strip()) or parse_period(text)]
    if len(periods) >= MIN_PERIODS:
        raise Refusal(
            "crosstab",
            "The columns of this table are hours, days or months ({columns}). Write a row for each "
            "of them, with its start in one column and each count in another.",
            columns=format_headers(periods, MIN_PERIODS),
        )


def refuse_missing_column(code: str, kind: str, headers: list[str], *fields: str) -> Refusal:
    as_contacts = ("python -m qa_core import contacts FILE",) if kind == "surveys" else ()
    return Refusal(
        code,
        "No column is recognised as {field}, which {kind} need. Columns: {seen}. Name the "
        "right one.",
        options=(*(f"--map {field}=COLUMN" for field in fields), *as_contacts),
        kind=kind,
        field=fields[0],
        seen=format_headers(headers),
    )


def refuse_unknown_column(column: str, headers: list[str], *options: str) -> Refusal:
    return Refusal(
        "unknown_column",
        "The file has no column {column}. Its columns: {seen}.",
        options=options,
        column=column,
        seen=format_headers(headers),
    )


def format_headers(headers: list[str], limit: int = MAX_SHOWN) -> str:
    """Format headers as part of a sentence, shortened."""
    shown = [text or "–" for text in headers[:limit]]
    return ", ".join(text[:60] for text in shown) + (
        f" … (+{len(headers) - limit})" if len(headers) > limit else ""
    )
