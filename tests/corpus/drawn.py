"""Files drawn by seed over the kinds that imports have misread, each from a truth that is written
down first. The counters here share no code with the import.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

ADVISORS = ("Ann Roe", "Bob Day", "Cleo Fox", "Dan Lee")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
STARTS: Mapping[str, str] = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "dmy": "%d/%m/%Y %H:%M",
    "mdy": "%m/%d/%Y %H:%M",
    "dashes": "%d-%m-%y %H:%M",
    "named": "%d %b %Y %H:%M",
    "zone": "%Y-%m-%dT%H:%M:%S",
}
ORDERS = {"dmy": "dmy", "mdy": "mdy", "dashes": "dmy"}
CDR = (
    "accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,"
    "duration,billsec,disposition,amaflags,uniqueid,userfield"
)
UNATTENDED = (
    "Playback", "BackGround", "WaitExten", "Hangup", "Busy", "Congestion", "Goto", "ChanSpy",
)  # fmt: skip


@dataclass
class Contact:
    """Contact of the truth. `customer`: None where the file does not tell."""

    start: datetime
    is_answered: bool
    advisor: str
    customer: str | None
    wait: int
    talk: int
    direction: str = "inbound"
    rating: int | None = None


@dataclass
class DrawnFile:
    """File with its truth. `answers`: the right answer to each question, by its code.
    `refused`: the code of its refusal where its rows are no contacts.
    """

    name: str
    kind: str
    text: str
    truth: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    refused: str | None = None
    is_declared: bool = False


def draw(seed: int) -> DrawnFile:
    """Draw the file of a seed; consecutive seeds go round all kinds."""
    chance = random.Random(seed)
    drawn = KINDS[seed % len(KINDS)](chance)
    drawn.name = f"{seed}-{drawn.name}"
    return drawn


def draw_contacts(chance: random.Random, count: int | None = None) -> list[Contact]:
    """Draw contacts over more than a month, of customers who call again."""
    first = datetime(2024, chance.randint(1, 12), chance.randint(1, 28), 8)
    customers = [f"06{chance.randrange(10**8):08d}" for _number in range(chance.randint(9, 25))]
    contacts = []
    for _number in range(count or chance.randint(40, 70)):
        start = first + timedelta(minutes=chance.randrange(45 * 1440 // 5) * 5)
        is_answered = chance.random() < 0.75
        contacts.append(
            Contact(
                start.replace(hour=8 + start.hour % 11),
                is_answered,
                chance.choice(ADVISORS),
                chance.choice(customers),
                chance.randint(2, 90),
                chance.randint(31, 600) if is_answered else 0,
            )
        )
    contacts[0].is_answered, contacts[0].talk = True, 120
    contacts[1].is_answered, contacts[1].talk = False, 0
    contacts.sort(key=lambda contact: contact.start)
    return contacts


def count_truth(contacts: Sequence[Contact]) -> dict[str, Any]:
    """Count what a person who has heard every contact would say."""
    received = [contact for contact in contacts if contact.direction == "inbound"]
    days = sorted(contact.start.date() for contact in contacts)
    known = {contact.customer for contact in contacts if contact.customer}
    truth: dict[str, Any] = {
        "received": len(received),
        "answered": sum(contact.is_answered for contact in received),
        "abandoned": sum(not contact.is_answered for contact in received),
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "directions": dict(Counter(contact.direction for contact in contacts)),
    }
    return truth | ({"customers": len(known)} if known else {"customers": 0})


def write_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ","
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _say(contact: Contact, words: tuple[str, str]) -> str:
    return words[not contact.is_answered]


WORDS = (
    ("Answered", "Abandoned"), ("ANSWERED", "NO ANSWER"), ("Handled", "Hang up"),
    ("Répondu", "Abandonné"), ("Atendida", "Abandonada"),
)  # fmt: skip


def _draw_plain(chance: random.Random) -> DrawnFile:
    contacts, style = draw_contacts(chance), chance.choice([*STARTS])
    words, delimiter = chance.choice(WORDS), chance.choice(",;\t|")
    rows = [
        (
            f"C{number}", contact.start.strftime(STARTS[style]) + ("+00:00" * (style == "zone")),
            contact.advisor, contact.customer, _say(contact, words), contact.wait,
            contact.talk or "",
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    header = (
        chance.choice(("Call ID", "N° appel", "uniqueid")),
        chance.choice(("Start time", "Date et heure", "callstart")),
        chance.choice(("Agent", "agentname", "Assigned To: Full Name", "Conseiller")),
        chance.choice(("Customer phone", "Téléphone client")),
        chance.choice(("Call Status", "Résultat appel", "Outcome")),
        chance.choice(("Wait time", "Speed of answer in seconds")),
        chance.choice(("Talk time", "talktime")),
    )
    answers = {"ambiguous_dates": f"--date-order {ORDERS[style]}"} if style in ORDERS else {}
    text = write_table(header, rows, delimiter)
    return DrawnFile("plain.csv", "contacts", text, count_truth(contacts), answers)


def _draw_declared(chance: random.Random) -> DrawnFile:
    contacts = draw_contacts(chance)
    header = ("contact_id", "started_at", "direction", "outcome", "advisor", "customer")
    rows = [
        (
            f"C{number}", contact.start.isoformat(sep=" "), contact.direction,
            "answered" if contact.is_answered else "abandoned", contact.advisor, contact.customer,
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    truth = count_truth(contacts)
    return DrawnFile("own.csv", "contacts", write_table(header, rows), truth, is_declared=True)


def _draw_date_parts(chance: random.Random) -> DrawnFile:
    contacts, is_named = draw_contacts(chance), chance.random() < 0.4
    parts = chance.choice((("Year", "Month", "Day"), ("Année", "Mois", "Jour")))
    header = [*parts, "Time", "Agent", "Outcome"]
    order = chance.sample(range(3), 3)
    header[:3] = [parts[place] for place in order]
    rows = []
    for contact in contacts:
        month = MONTHS[contact.start.month - 1] if is_named else contact.start.month
        cells = (contact.start.year, month, contact.start.day)
        rows.append(
            (*(cells[place] for place in order), f"{contact.start:%H:%M}", contact.advisor,
             _say(contact, WORDS[0]))
        )  # fmt: skip
    for contact in contacts:
        contact.customer = None
    return DrawnFile("parts.csv", "contacts", write_table(header, rows), count_truth(contacts))


def _draw_other_day(chance: random.Random) -> DrawnFile:
    """A day of conversion or creation beside the date and the time of the call."""
    contacts, later = draw_contacts(chance), datetime(2025, 10, 7, 12)
    is_in_time = chance.random() < 0.5
    rows, answers = [], {"ambiguous_dates": "--date-order mdy"}
    for contact in contacts:
        contact.customer = None
        day, clock = f"{contact.start:%m/%d/%Y}", f"{contact.start:%H:%M:%S}"
        if is_in_time:
            rows.append((day, f"2025-10-07 {clock}", contact.advisor, _say(contact, WORDS[0])))
        else:
            cells = (day, clock, later.isoformat(sep=" "), contact.advisor)
            rows.append((*cells, _say(contact, WORDS[0])))
    header = ("Date", "Time", "Agent", "Outcome")
    answers["other_days"] = "--map date=Date"
    if not is_in_time:
        header = ("Call Date", "Call Time", "Created", "Agent", "Outcome")
        answers["other_days"] = "--map date=Call Date"
    text = write_table(header, rows)
    return DrawnFile("converted.csv", "contacts", text, count_truth(contacts), answers)


def _draw_crm(chance: random.Random) -> DrawnFile:
    """The customer's `Contact ID` beside the id of each call."""
    contacts = draw_contacts(chance)
    own = chance.choice(("Id", "Call Id", "Interaction ID"))
    people = {customer: f"P{at}" for at, customer in enumerate({c.customer for c in contacts})}
    rows = [
        (
            1000 + number, people[contact.customer], f"{contact.start:%Y-%m-%d %H:%M}",
            contact.advisor, _say(contact, WORDS[0]), contact.talk or "",
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    for contact in contacts:
        contact.customer = None
    header = (own, "Contact ID", "Start time", "Agent", "Status", "Talk time")
    answers = {"mixed_ids": f"--map contact_id={own}"}
    return DrawnFile(
        "crm.csv", "contacts", write_table(header, rows), count_truth(contacts), answers
    )


def _draw_outgoing(chance: random.Random) -> DrawnFile:
    """Outgoing calls: a bill, a dialler, one own number that calls everybody."""
    contacts, style = draw_contacts(chance), chance.randrange(3)
    for contact in contacts:
        contact.direction = "outbound"
    start = [f"{contact.start:%Y-%m-%d %H:%M:%S}" for contact in contacts]
    said = [_say(contact, ("Answered", "No answer")) for contact in contacts]
    called = [contact.customer for contact in contacts]
    if style == 0:
        header = ("Start time", "Number called", "Destination", "Duration", "Status")
        rows = [
            *zip(start, called, ["France"] * len(called), [60] * len(called), said, strict=True)
        ]
    elif style == 1:
        header = ("Start time", "Lead ID", "Attempt", "Agent", "Phone", "Disposition")
        rows = [
            (moment, f"L{number % 20}", 1 + number // 20, contact.advisor, contact.customer, word)
            for number, (moment, contact, word) in enumerate(
                zip(start, contacts, said, strict=True)
            )
        ]
    else:
        header = ("Start time", "From", "To", "Duration", "Status")
        rows = [
            *zip(start, ["0145000000"] * len(called), called, [60] * len(called), said, strict=True)
        ]
    answers = {
        "which_direction": "--only direction=outbound",
        "outcome_and_talk": "--map outcome=Status",
        "duration_and_wait": "--map call_seconds=Duration",
    }
    truth = count_truth(contacts)
    return DrawnFile("outgoing.csv", "contacts", write_table(header, rows), truth, answers)


def _draw_unread_direction(chance: random.Random) -> DrawnFile:
    contacts = draw_contacts(chance)
    for contact in contacts:
        contact.direction = chance.choice(("inbound", "inbound", "outbound"))
    words = chance.choice((("Inbound", "Outbound"), ("IN", "OUT"), ("Entrant", "Sortant")))
    column = chance.choice(("Way", "INBOUND_OUTBOUND_IND", "Inbound/Outbound", "Flow"))
    rows = [
        (
            f"C{number}", f"{contact.start:%Y-%m-%d %H:%M}",
            words[contact.direction == "outbound"], contact.customer, _say(contact, WORDS[0]),
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    answers = {"unread_direction": f"--map direction={column}"}
    header = ("Call ID", "Start time", column, "Customer phone", "Outcome")
    truth = count_truth(contacts)
    return DrawnFile("way.csv", "contacts", write_table(header, rows), truth, answers)


def _draw_missing_clock(chance: random.Random) -> DrawnFile:
    contacts = draw_contacts(chance)
    rows = [
        (
            f"C{number}", f"{contact.start:%Y-%m-%d}",
            f"{contact.start:%H:%M}" if chance.random() < 0.8 else "", contact.advisor,
            contact.customer, _say(contact, WORDS[0]),
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    header = ("Call ID", "Date", "Time", "Agent", "Customer phone", "Outcome")
    truth = count_truth(contacts)
    return DrawnFile("clock.csv", "contacts", write_table(header, rows), truth)


def _draw_quoted(chance: random.Random) -> DrawnFile:
    contacts, quote = draw_contacts(chance), chance.choice("'\"")
    rows = [
        (
            f"C{number}", f"{quote}{contact.start:%Y-%m-%d %H:%M:%S}{quote}", contact.customer,
            _say(contact, WORDS[0]),
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    header = ("Call ID", "Start time", "Customer phone", "Outcome")
    truth = count_truth(contacts)
    return DrawnFile("quoted.csv", "contacts", write_table(header, rows), truth)


def _draw_flags(chance: random.Random) -> DrawnFile:
    """A flag of outcome, repeated by another or beside parts that add up to a total."""
    contacts, is_repeated = draw_contacts(chance), chance.random() < 0.5
    rows = []
    for number, contact in enumerate(contacts):
        start, answered = f"{contact.start:%Y-%m-%d %H:%M}", contact.is_answered
        if is_repeated:
            cells = ("NY"[answered], int(answered), contact.talk or "")
        else:
            held, after = (5, 12) if answered else (0, 0)
            handled = contact.talk + held + after if answered else 0
            cells = ("YN"[answered], contact.wait, handled, held, after, contact.wait + handled)
        rows.append((f"C{number}", start, contact.customer, *cells))
    header = ("Call ID", "Start time", "Customer phone", "Answered (Y/N)", "Calls Answered (Y)")
    header = (*header, "Talk time")
    if not is_repeated:
        names = ("Abandoned", "Wait", "Handle time", "Hold", "Wrap", "Total time")
        header = ("Call ID", "Start time", "Customer phone", *names)
    truth = count_truth(contacts)
    return DrawnFile("flags.csv", "contacts", write_table(header, rows), truth)


def _draw_ratings(chance: random.Random) -> DrawnFile:
    """Ratings of answered contacts, or of all, on scales that the header does not name."""
    contacts = draw_contacts(chance)
    low, high = chance.choice(((1, 5), (1, 7), (1, 10), (0, 10)))
    is_filled_in = chance.random() < 0.3
    for contact in contacts:
        is_rated = contact.is_answered or is_filled_in
        contact.rating = chance.randint(low, high) if is_rated else None
    rated = [contact for contact in contacts if contact.rating is not None]
    rated[0].rating, rated[1].rating = low, high
    rows = [
        (
            f"C{number}", f"{contact.start:%Y-%m-%d %H:%M}", contact.customer,
            _say(contact, WORDS[0]), "" if contact.rating is None else contact.rating,
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    column = chance.choice(("Satisfaction", "nota", "CSAT"))
    header = ("Call ID", "Start time", "Customer phone", "Outcome", column)
    truth = count_truth(contacts) | {"ratings": len(rated), "scale": f"{low}-{high}"}
    answers = {
        "ambiguous_scale": f"--scale csat={low}-{high}",
        "rated_unanswered": f"--map csat={column}",
    }
    return DrawnFile("rated.csv", "contacts", write_table(header, rows), truth, answers)


def _draw_times(chance: random.Random) -> DrawnFile:
    """Times in seconds, milliseconds, minutes and seconds, clocks; queue beside ringing."""
    contacts, style = draw_contacts(chance), chance.choice(("s", "ms", "m:s", "h:m:s"))

    def write(seconds: int) -> object:
        minutes = f"{seconds // 60}:{seconds % 60:02d}"
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return {"s": seconds, "ms": seconds * 1000, "m:s": minutes, "h:m:s": clock}[style]

    rows = [
        (
            f"C{number}", f"{contact.start:%Y-%m-%d %H:%M}", write(3), write(contact.wait),
            _say(contact, WORDS[0]), write(contact.talk) if contact.is_answered else "",
        )
        for number, contact in enumerate(contacts)
    ]  # fmt: skip
    for contact in contacts:
        contact.customer = None
    header = ("Call ID", "Start time", "Ring time", "Queue time", "Outcome", "Talk time")
    talks = sorted(contact.talk for contact in contacts if contact.is_answered)
    waits = sorted(contact.wait for contact in contacts)
    truth = count_truth(contacts) | {"talk": _find_median(talks), "wait": _find_median(waits)}
    unit = "ms" if style == "ms" else "s"
    answers = {
        f"{code} {name}": f"--unit {name}={unit}"
        for code in ("ambiguous_unit", "ambiguous_duration")
        for name in ("wait_seconds", "talk_seconds")
    }
    return DrawnFile("times.csv", "contacts", write_table(header, rows), truth, answers)


def _find_median(numbers: Sequence[int]) -> float:
    middle = len(numbers) // 2
    if len(numbers) % 2:
        return float(numbers[middle])
    return (numbers[middle - 1] + numbers[middle]) / 2


def _draw_shared_number(chance: random.Random) -> DrawnFile:
    """The centre's own number on every row, or advisors where the called number stands."""
    contacts, is_own = draw_contacts(chance), chance.random() < 0.5
    header = ("Date", "Time", "Caller", "Called", "Status")
    rows = []
    for contact in contacts:
        other = "0800123456" if is_own else contact.advisor
        day, clock = f"{contact.start:%Y-%m-%d}", f"{contact.start:%H:%M}"
        rows.append((day, clock, contact.customer, other, _say(contact, WORDS[0])))
    truth = count_truth(contacts)
    return DrawnFile("shared.csv", "contacts", write_table(header, rows), truth)


def _draw_reused_ids(chance: random.Random) -> DrawnFile:
    """Counters of calls that begin again each day."""
    contacts, counters, rows = draw_contacts(chance), Counter[date](), []
    for contact in contacts:
        counters[contact.start.date()] += 1
        rows.append(
            (
                counters[contact.start.date()], f"{contact.start:%Y-%m-%d %H:%M}",
                contact.customer, _say(contact, WORDS[0]),
            )
        )  # fmt: skip
    header = ("Call ID", "Start time", "Customer phone", "Outcome")
    answers = {"mixed_ids": "--map ignore=Call ID"}
    truth = count_truth(contacts)
    return DrawnFile("counters.csv", "contacts", write_table(header, rows), truth, answers)


def _draw_cdr(chance: random.Random) -> DrawnFile:
    """Legs of Asterisk: dialled, not answered, and taken by a machine's application alone."""
    contacts, rows = draw_contacts(chance), []
    has_header = chance.random() < 0.5
    for number, contact in enumerate(contacts):
        start = contact.start.isoformat(sep=" ")
        end = (contact.start + timedelta(seconds=max(1, contact.talk))).isoformat(sep=" ")
        application, other, word = "Dial", "", "NO ANSWER"
        if contact.is_answered:
            other, word = f"SIP/{100 + number % 9}-{number:08x}", "ANSWERED"
        elif chance.random() < 0.5:
            application, word = chance.choice(UNATTENDED), "ANSWERED"
        talk = max(1, contact.talk) if word == "ANSWERED" else 0
        rows.append(
            (
                "", contact.customer, "100", "from-trunk", "", f"SIP/trunk-{number:08x}", other,
                application, "x", start, start if talk else "", end, talk, talk, word,
                "DOCUMENTATION", f"{1700000000 + number}.{number}", "",
            )
        )  # fmt: skip
    text = write_table(CDR.split(","), rows)
    text = text if has_header else text.partition("\n")[2]
    return DrawnFile("Master.csv", "contacts", text, count_truth(contacts), is_declared=True)


def _draw_no_contacts(chance: random.Random) -> DrawnFile:
    """Records that are no contacts, and texts that are no tables."""
    contacts = draw_contacts(chance)
    days = [f"{contact.start:%Y-%m-%d}" for contact in contacts]
    clocks = [f"{contact.start:%Y-%m-%d %H:%M}" for contact in contacts]
    names = [contact.advisor for contact in contacts]
    phones = [contact.customer for contact in contacts]
    tables = (
        (("Agent", "Login time", "Logout time", "Duration"), [names, clocks, clocks, ["4:00:00"]]),
        (("Agent", "Start time", "State", "Duration"), [names, clocks, ["Ready", "Break"], [60]]),
        (("Employee", "Date", "Shift start", "Shift end"), [names, days, ["08:00"], ["16:00"]]),
        (("MSISDN", "Start time", "APN", "Bytes up"), [phones, clocks, ["net"], [7]]),
        (("Calling number", "Start time", "Type"), [phones, clocks, ["GPRS", "VOICE"]]),
        (("date", "agent", "calls_count"), [days, names, [3, 7, 2, 5]]),
    )  # fmt: skip
    texts = (
        "-- MySQL dump 10.13\nCREATE TABLE `calls` (`id` int);\n",
        "--\n-- PostgreSQL database dump\n--\nCOPY public.calls (id) FROM stdin;\n1\n",
        "From ann@example.com Mon Mar  3 09:00:00 2025\nFrom: ann@example.com\n\nHello\n",
        "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nTEL:0612345678\nEND:VCARD\n",
        "Return-Path: <ann@example.com>\nFrom: Ann <ann@example.com>\nSubject: Bill\n\nHello\n",
        "[03/03/2025, 09:00:00] Ann: hello\n[03/03/2025, 09:01:00] Bob: hello\n",
        '[{"type": "message", "user": "U1", "text": "hi", "ts": "1741000000.000200"}]',
        '{"name": "Help", "messages": [{"id": 1, "date": "2025-03-03", "from": "Ann"}]}',
        '{"type": "conversation.list", "conversations": [{"id": "1", "created_at": 1741000000}]}',
    )
    if chance.random() < 0.5:
        header, columns = chance.choice(tables)
        count = len(contacts)
        rows = [[column[row % len(column)] for column in columns] for row in range(count)]
        code = "totals_not_contacts" if "calls_count" in header else "not_contacts"
        return DrawnFile("records.csv", "contacts", write_table(header, rows), refused=code)
    return DrawnFile("text.txt", "contacts", chance.choice(texts), refused="wrong_file_type")


def _draw_totals(chance: random.Random) -> DrawnFile:
    """Totals of days, weeks or months, in English, French and Portuguese."""
    step = chance.choice(("day", "week", "week ending", "month", "month named"))
    count, first = chance.randint(6, 11), date(2024, chance.randint(1, 6), 1)
    monday = first + timedelta(days=(7 - first.weekday()) % 7)
    starts, labels = [], []
    for number in range(count):
        month = date(
            2024 + (first.month - 1 + number) // 12, (first.month - 1 + number) % 12 + 1, 1
        )
        start = {"day": first + timedelta(days=number)}.get(
            step, monday + timedelta(days=7 * number)
        )
        start = month if step.startswith("month") else start
        label = start + timedelta(days=6) if step == "week ending" else start
        starts.append(start)
        labels.append(f"{start:%b-%y}" if step == "month named" else label.isoformat())
    totals = [
        (received := chance.randint(80, 900), chance.randint(40, received - 20)) for _n in labels
    ]
    rows = [
        (label, received, answered, received - answered)
        for label, (received, answered) in zip(labels, totals, strict=True)
    ]
    names = chance.choice(
        (
            ("Calls Offered", "Calls Answered", "Abandoned"),
            ("Call Presented", "Call Answered", "Call Abandoned"),
            ("TOTAL_APPELS_JOUR", "APPELS_TRAITES", "APPELS_ABANDONNES"),
            ("chamadas_recebidas", "chamadas_atendidas", "chamadas_abandonadas"),
        )
    )
    head = {"week": "Week", "week ending": "Week ending", "month named": "Month"}.get(step, "Date")
    truth = {
        "received": sum(received for received, _answered in totals),
        "answered": sum(answered for _received, answered in totals),
        "abandoned": sum(received - answered for received, answered in totals),
        "first_day": starts[0].isoformat(),
        "last_day": starts[-1].isoformat(),
    }
    answers = {"days_or_periods": f"--only period={step.split()[0]}"}
    return DrawnFile("totals.csv", "intervals", write_table((head, *names), rows), truth, answers)


def _draw_scores(chance: random.Random) -> DrawnFile:
    """Surveys whose column `score` is of satisfaction, recommendation or effort."""
    rating, low, high = chance.choice(
        (("csat", 1, 5), ("csat", 1, 10), ("nps", 0, 10), ("ces", 1, 7))
    )
    contacts = draw_contacts(chance)
    marks = [low, high, *(chance.randint(low, high) for _contact in contacts[2:])]
    column = chance.choice(("score", "Survey score", "Note"))
    rows = [
        (f"C{number}", f"{contact.start:%Y-%m-%d %H:%M}", mark)
        for number, (contact, mark) in enumerate(zip(contacts, marks, strict=True))
    ]
    truth: dict[str, Any] = {"rating": rating, "scale": f"{low}-{high}"}
    answers = {
        "unclear_rating": f"--map {rating}={column}",
        "ambiguous_scale": f"--scale {rating}={low}-{high}",
    }
    text = write_table(("Call ID", "Answered at", column), rows)
    return DrawnFile("scores.csv", "surveys", text, truth, answers)


KINDS: tuple[Callable[[random.Random], DrawnFile], ...] = (
    _draw_plain, _draw_declared, _draw_date_parts, _draw_other_day, _draw_crm, _draw_outgoing,
    _draw_unread_direction, _draw_missing_clock, _draw_quoted, _draw_flags, _draw_ratings,
    _draw_times, _draw_shared_number, _draw_reused_ids, _draw_cdr, _draw_no_contacts,
    _draw_totals, _draw_scores,
)  # fmt: skip
