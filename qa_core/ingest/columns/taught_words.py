"""Words taught for the columns of one file: `--word COLUMN:VALUE=MEANING`."""

from collections.abc import Container, Iterable, Mapping, Sequence

from qa_core.base.errors import Misuse
from qa_core.files.header_text import simplify
from qa_core.ingest.columns.header_matching import parse_header, refuse_unknown_column
from qa_core.ingest.staging.declaration import Column, Profile, ValueType
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.schema import Direction, Handler, Outcome

Meaning = Outcome | Direction | Handler | bool | str | None
"""Meaning of a word: a truth, a number as text, None for a missing value."""

MEANINGS: Mapping[str, Meaning] = {
    **{item.value: item for item in (*Outcome, *Direction, *Handler)},
    **dict.fromkeys(("yes", "true"), True),
    **dict.fromkeys(("no", "false"), False),
    "missing": None,
}


def parse_meaning(text: str) -> Meaning:
    """Parse the meaning of a taught word. Raises Misuse for what is no meaning."""
    word = text.strip().casefold()
    if word in MEANINGS:
        return MEANINGS[word]
    try:
        float(word)
    except ValueError:
        raise Misuse(
            "bad_word",
            "{text} is not a known meaning. Use a number or one of: {known}.",
            text=text,
            known=", ".join(MEANINGS),
        ) from None
    return word


def split_word(text: str, columns: Container[str]) -> tuple[str, str] | None:
    """Split `COLUMN:VALUE` after one of these simplified columns; None where none fits."""
    parts = text.split(":")
    pairs = [(":".join(parts[:at]), ":".join(parts[at:])) for at in range(1, len(parts))]
    return next((pair for pair in pairs if simplify(pair[0]) in columns), None)


def index_meanings(
    words: Mapping[str, str], headers: Sequence[str]
) -> dict[int, dict[str, Meaning]]:
    """Index taught words by column and simplified word. Raises Misuse, Refusal."""
    places = {simplify(header): index for index, header in reversed(list(enumerate(headers)))}
    taught: dict[int, dict[str, Meaning]] = {}
    for text, meaning in words.items():
        pair_found = split_word(text, places)
        if pair_found is None:
            raise refuse_unknown_column(text.partition(":")[0], list(headers))
        column, word = pair_found
        taught.setdefault(places[simplify(column)], {})[simplify(word)] = parse_meaning(meaning)
    return taught


_CLAIMED = (("outcome", Outcome), ("direction", Direction), ("handled_by", Handler))


def claim_columns(
    profile: Profile,
    meanings: Mapping[int, Mapping[str, Meaning]],
    headers: Sequence[str],
    columns: dict[str, Column],
) -> None:
    """Use a column that no header names as the field that its taught meanings are of."""
    used = {column.index for column in columns.values()}
    for index, words in meanings.items():
        for name, kind in _CLAIMED:
            field = profile.get_field(name)
            is_meant = any(isinstance(meaning, kind) for meaning in words.values())
            if index not in used and is_meant and field and name not in columns:
                columns[name] = Column(field, index, parse_header(headers[index]))


_MET = ("c", "m", "v")
"""Compliant, met, validated. Others stand for something else with their N: NA, NE, NR."""


def teach_letters(
    taught: dict[int, dict[str, Meaning]], columns: Iterable[Column], rows: Sequence[Sequence[str]]
) -> tuple[str, str] | None:
    """Teach criteria a letter and its negation, such as C and NC (compliant or not), where these
    rows have no other letters but those for not applicable. Returns the two.
    """
    absent = list_words("not_applicable")
    words = {
        column.index: {simplify(row[column.index]) for row in rows if column.index < len(row)}
        - {"", *absent}
        for column in columns
        if column.field.value_type == ValueType.CRITERION or column.field.name == "points"
    }
    letters = {index: said for index, said in words.items() if all(len(word) < 4 for word in said)}
    pair = sorted(set().union(*letters.values()), key=len)
    if len(pair) != 2 or pair[0] not in _MET or pair[1] != f"n{pair[0]}":
        return None
    meanings = {pair[0]: "1", pair[1]: "0", **dict.fromkeys(absent)}
    for index in letters:
        taught[index] = meanings | taught.get(index, {})
    return pair[0], pair[1]
