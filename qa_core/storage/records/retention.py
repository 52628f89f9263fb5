"""Tables of deletion by age: purges with their certificates, and cuts of the audit log."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import Base, Numbered, now, of_advisor

UNTIL_LIFTED = "applies until it is lifted"
APPLIES_LATER = "applies to later files too (GDPR art. 21)"
ObjectingCustomer = data.declare(
    str, data.IDENTIFIER, data.CUSTOMER, on_erasure=data.KEEP, because=APPLIES_LATER
)
ForbiddenContact = data.declare(
    str, data.CONTACT, data.CUSTOMER, on_erasure=data.KEEP, because=APPLIES_LATER
)
SignedName = data.declare(
    str,
    data.IDENTIFIER,
    data.ACCOUNT,
    on_erasure=data.KEEP,
    because="the certificate is signed with it, and goes at the end of its period",
)
RequestSubject = data.declare(str, data.IDENTIFIER, *data.PERSONS, on_erasure=data.CUT)
RequestText = data.declare(str, data.TEXT, *data.PERSONS, on_erasure=data.CUT)


class Purge(Numbered, holds=data.Stored((), "certificates", "finished_at")):
    """A purge; unfinished, it is resumed by the next one. Finished, it is the certificate
    of what it deleted: kinds, numbers and days, no content.
    """

    as_of: Mapped[date]
    actor: Mapped[SignedName]
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    kinds: Mapped[data.Facts] = mapped_column(default=dict)
    """kind → {count, oldest, newest, done}; noted before anything of it is deleted."""
    seq: Mapped[int | None]
    """The row of the audit log that names this purge, and its seal."""
    mac: Mapped[data.Code | None]
    signature: Mapped[data.Code | None]


class JournalCut(Base, holds=data.NOBODY):
    """The end of the rows purged from the audit log, signed: where verification begins."""

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mac: Mapped[data.Code]
    signature: Mapped[data.Code] = mapped_column(sa.Text())


class JournalRewording(Base, holds=data.NOBODY):
    """Signature of a row of the audit log in which a number was keyed; its seal is older."""

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    signature: Mapped[data.Code] = mapped_column(sa.Text())


class ClosedMonth(Base, holds=data.NOBODY):
    """A month whose people were deleted, or are about to be: its figures of that group
    (`analyses` or `identities`) come from `MonthlyFigure` from then on.
    """

    __tablename__ = "monthly_closing"

    group: Mapped[data.Code] = mapped_column(primary_key=True)
    month: Mapped[data.Code] = mapped_column(primary_key=True)
    published: Mapped[data.Facts]
    """KPI → [[dimension, value, shown]]: what executives saw of the month when it was closed,
    until editions were kept (docs/access.md, section 6); empty since.
    """
    closed_at: Mapped[datetime] = mapped_column(default=now)


class MonthlyFigure(Numbered, holds=data.NOBODY):
    """The sums of a KPI over one closed month, of at least five advisors: of the whole
    centre or one of its teams, and of one value of one dimension or all.
    """

    group: Mapped[data.Code]
    kpi: Mapped[data.Code] = mapped_column(index=True)
    local_day: Mapped[date]
    """The first day of the month; with `team`, what the scope of a reader is decided by."""
    is_whole: Mapped[bool]
    team: Mapped[data.Code | None]
    """Of figures that are not of the whole centre."""
    dimension: Mapped[data.Code | None]
    value: Mapped[data.Wording | None]
    sums: Mapped[data.Facts]
    """As the statement of the KPI gives them: n, hits, sum, …; empty: left out, because
    fewer advisors are behind one or more values of the dimension.
    """


class RuleDay(Base, holds=data.NOBODY):
    """State of each rule of the law on a day (docs/compliance.md, section 1)."""

    day: Mapped[date] = mapped_column(primary_key=True)
    states: Mapped[data.Facts]
    """Number of the rule → in_order · to_do · not_in_order · not_measurable"""


class Objection(
    Numbered, holds=data.Stored((data.CUSTOMER, data.ADVISOR), "requests", "lifted_at")
):
    """Objection to being recorded and listened to, of a customer (by pseudonym), an advisor or
    one contact. Later contacts are met too, until a person lifts it with a reason.
    """

    customer_key: Mapped[ObjectingCustomer | None] = mapped_column(index=True)
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor()
    contact_id: Mapped[ForbiddenContact | None] = mapped_column(index=True)
    source_system: Mapped[data.Code | None]
    """Of the contact; null: of whichever system has it."""
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)
    lifted_by: Mapped[data.Username | None]
    lifted_at: Mapped[datetime | None]
    lifted_because: Mapped[data.ContactText | None]


class ListeningExclusion(
    Numbered, holds=data.Stored((data.CUSTOMER, data.ADVISOR), because=UNTIL_LIFTED)
):
    """A line, an advisor or a contact that is never recorded or heard: the number that was
    dialled, the advisor (or extension) who answers, or one contact.
    """

    __tablename__ = "exclusion"

    number: Mapped[data.Code | None] = mapped_column(index=True)
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor()
    source_system: Mapped[data.Code | None]
    """Of the contact; null: of whichever system has it."""
    contact_id: Mapped[ForbiddenContact | None]
    reason: Mapped[data.Code]
    """representative · private · requested"""
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)


class Restriction(
    Numbered, holds=data.Stored((data.CUSTOMER, data.ADVISOR), "requests", "lifted_at")
):
    """Customer, advisor or contact left out of figures and lists until lifted (GDPR art. 18)."""

    customer_key: Mapped[data.CustomerKey | None] = mapped_column(index=True)
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor()
    source_system: Mapped[data.Code | None]
    """Of the contact; null: of whichever system has it."""
    contact_id: Mapped[ForbiddenContact | None]
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)
    lifted_by: Mapped[data.Username | None]
    lifted_at: Mapped[datetime | None]


class Rectification(
    Numbered, holds=data.Stored((data.CUSTOMER, data.ADVISOR), "rectifications", "entered_at")
):
    """A corrected value of a contact (GDPR art. 16), which later files do not change back:
    one of `value`, `advisor_id` and `customer_key`; all null: the value is empty.
    """

    source_system: Mapped[data.Code]
    contact_id: Mapped[data.ContactId] = mapped_column(index=True)
    field: Mapped[data.Code]
    """Column of the contact."""
    value: Mapped[data.ContactNote | None]
    advisor_id: Mapped[data.OwnAdvisorId | None] = of_advisor()
    customer_key: Mapped[data.CustomerKey | None]
    reason: Mapped[data.ContactNote]
    request_id: Mapped[int | None]
    """Number of the request that it answers."""
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)


class SubjectRequest(Numbered, holds=data.Stored(data.PERSONS, "requests", "answered_on")):
    """A request of a person under the GDPR, with its clock of one month. `subject` is a
    pseudonym, the id of an advisor or a user name, never a number.
    """

    kind: Mapped[data.Code]
    """access · rectification · objection · erasure · restriction · portability · contest ·
    exclusion (of one contact, asked by its advisor)
    """
    subject_kind: Mapped[data.Code]
    """customer · advisor · account"""
    subject: Mapped[RequestSubject]
    source_system: Mapped[data.Code | None]
    contact_id: Mapped[data.ContactId | None]
    """The contact that an exclusion is asked for."""
    details: Mapped[RequestText | None]
    """Wish of the person, in their words."""
    received_on: Mapped[date]
    due_on: Mapped[date]
    extended_because: Mapped[RequestText | None]
    """Why it takes two months more (art. 12(3)); null: it does not."""
    identity_checked_by: Mapped[data.Username | None]
    identity_check: Mapped[RequestText | None]
    """Way in which the identity was checked."""
    answered_on: Mapped[date | None]
    answered_by: Mapped[data.Username | None]
    answer: Mapped[RequestText | None]
    is_refused: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """True: the answer refuses what is asked (art. 12(4))."""
    audio_confirmed_by: Mapped[data.Username | None]
    """The second person who agreed that audio is handed out."""
    entered_by: Mapped[data.Username]
    entered_at: Mapped[datetime] = mapped_column(default=now)
