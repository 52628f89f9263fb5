"""Vocabulary of the map of personal data: what a stored column holds, as part of its type
(docs/decisions/personal-data-map.md).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

CUSTOMER, ADVISOR, ACCOUNT = "customer", "advisor", "account"
PERSONS = (CUSTOMER, ADVISOR, ACCOUNT)
STAND_IN = "former-"
"""Beginning of the name of an anonymous account."""


class ColumnContent(StrEnum):
    """Content of a column. `CONTACT` is the id of a contact, which leads to its customer.
    `TEXT` is what a person wrote, alone or inside JSON; `RECORD` a copy of other values;
    `WORDING` what the centre set up, in which nobody is called by one common word.
    """

    IDENTIFIER = "identifier"
    CONTACT = "contact"
    FACT = "fact"
    SCORE = "score"
    TEXT = "text"
    RECORD = "record"
    WORDING = "wording"
    AUDIO = "audio"
    SECRET = "secret"


class OnErasure(StrEnum):
    """Act of an erasure: delete the row, empty the value, cut the link to the person
    (an account's name becomes an anonymous one), or keep it for a reason.
    """

    ROW = "row"
    BLANK = "blank"
    CUT = "cut"
    KEEP = "keep"


IDENTIFIER, CONTACT, FACT, SCORE, TEXT, RECORD, WORDING, AUDIO, SECRET = ColumnContent
ROW, BLANK, CUT, KEEP = OnErasure


@dataclass(frozen=True)
class Datum:
    """Declaration of a column: its content, the persons it is about, what an erasure does.

    `because`: why it is kept · `only`: column and values for which it names a person ·
    `texts`: keys of a JSON value that hold free text · `if_named`: what an erasure does where
    a text has the person's name · `kind`: its own retention class.
    """

    what: ColumnContent
    whose: tuple[str, ...] = ()
    on_erasure: OnErasure = ROW
    because: str = ""
    only: tuple[str, Collection[str]] | None = None
    texts: tuple[str, ...] = ()
    kind: str | None = None
    if_named: OnErasure = BLANK

    @property
    def info(self) -> dict[str, "Datum"]:
        """Return it as the `info` of a column."""
        return {"datum": self}


@dataclass(frozen=True)
class Stored:
    """Declaration of a table or a folder.

    `whose` are its numbers, days and codes by default · `kind`: its retention class ·
    `since`: the column by which its age is counted · `part_of`: the column that names the
    row it goes with · `because`: why it has no retention class · `is_backed_up`: of folders ·
    `needs_reason`: false where everybody may know whom the rows name (`records.row_rules`).
    """

    whose: tuple[str, ...] = ()
    kind: str | None = None
    since: str | None = None
    part_of: str | None = None
    because: str = ""
    is_backed_up: bool = False
    needs_reason: bool = True


NOBODY = Stored()
CODE = Datum(FACT)


def find_columns(table: sa.Table, what: ColumnContent, *whose: str) -> tuple[str, ...]:
    """List the columns of that content, of one of these persons if any are given."""
    return tuple(
        column.name
        for column in table.columns
        if (datum := column.info.get("datum"))
        and datum.what == what
        and (not whose or set(whose) & set(datum.whose))
    )


class MaskedText(sa.types.TypeDecorator[str]):
    """Free text: telephone numbers and e-mail addresses are masked on their way in."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        from qa_core.base.masking import mask_inside  # most commands write no text

        return mask_inside(value) if value else value


def declare(
    value: Any, what: ColumnContent, *whose: str, on_erasure: OnErasure = ROW, **more: Any
) -> Any:
    """Build the type of columns that hold this."""
    kind = (MaskedText(),) if what == TEXT and value is str else ()
    return Annotated[value, mapped_column(*kind, info=Datum(what, whose, on_erasure, **more).info)]


Json = dict[str, Any]
LEADS_TO_NOBODY = "the contact is deleted; its id leads to nobody"

Code = declare(str, FACT)
"""Value of a fixed list, or a name from the configuration."""
Codes = declare(list[Any], FACT)
Facts = declare(Json, FACT)
Wording = declare(str, WORDING, on_erasure=BLANK)
"""Name or text of the configuration, or a header of a file; it may name people."""
WordingJson = declare(Json, WORDING, on_erasure=BLANK)
WordingList = declare(list[Any], WORDING, on_erasure=BLANK)
Criterion = declare(str, WORDING, ADVISOR, on_erasure=BLANK)
Criteria = declare(list[Any], WORDING, ADVISOR, on_erasure=BLANK)
Seal = declare(str, SECRET)
"""Secret, digest or key of the program: never handed out."""
Username = declare(str, IDENTIFIER, ACCOUNT, on_erasure=CUT)
"""Account that did something."""
OwnUsername = declare(str, IDENTIFIER, ACCOUNT)
"""Account that the row belongs to."""
Usernames = declare(list[Any], IDENTIFIER, ACCOUNT, on_erasure=CUT)
AdvisorId = declare(str, IDENTIFIER, ADVISOR, on_erasure=CUT)
"""Advisor whom the row only mentions."""
OwnAdvisorId = declare(str, IDENTIFIER, ADVISOR)
"""Advisor whom the row is about."""
Member = declare(str, IDENTIFIER, ADVISOR, ACCOUNT, only=("dimension", ("advisor", "evaluator")))
"""Value of a dimension, which may be a person."""
CustomerKey = declare(str, IDENTIFIER, CUSTOMER)
ContactId = declare(str, CONTACT, CUSTOMER, ADVISOR, on_erasure=KEEP, because=LEADS_TO_NOBODY)
ContactText = declare(str, TEXT, CUSTOMER, ADVISOR, on_erasure=BLANK)
"""Text that somebody wrote about a contact."""
ContactNote = declare(str, TEXT, CUSTOMER, ADVISOR)
"""Text about a contact whose row is nothing without it."""
ContactTags = declare(list[Any], TEXT, CUSTOMER, ADVISOR, on_erasure=BLANK)
ContactJson = declare(
    Json, TEXT, CUSTOMER, ADVISOR, on_erasure=BLANK, texts=("comment", "comments", "note")
)
AdvisorText = declare(str, TEXT, ADVISOR, on_erasure=BLANK)
"""Text that somebody wrote about an advisor."""
FreeText = declare(str, TEXT, on_erasure=BLANK)
"""Text that somebody wrote about the work; it may name people of the centre."""
RecordJson = declare(Json, RECORD, on_erasure=BLANK)
RecordList = declare(list[Any], RECORD, on_erasure=BLANK)
