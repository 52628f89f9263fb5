"""Deliveries under kills at every point, and over ten weeks of a large centre that changes."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from builders.centres import add_people, contact, land, publish
from builders.forked_python import forked_python
from builders.mail_server import Mailbox, text_of
from builders.mailed_centre import address_of, settle_week, viewer_of, want_digest
from builders.shown_texts import as_read
from builders.shown_texts import text_of as text_of_page
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment, i18n
from qa_core.base.i18n import _, ngettext
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, worker
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import MailChoice
from qa_core.ui.views.quality import this_week

SYSTEM = Viewer.SYSTEM
MONDAY, LATER = "2026-10-19T07:05", "2026-10-19T07:30"
SetClock = Callable[[str], None]


def send_elsewhere(when: str, number: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*forked_python(), "-m", "builders.killed_delivery", when, str(number)],
        cwd=environment.PROJECT,
        env={**os.environ, "PYTHONPATH": "tests:."},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.long
@pytest.mark.sqlite("a copy of the centre is a copy of its folder")
def test_a_kill_at_any_point_loses_nothing_and_repeats_only_under_the_same_id(
    mailed: Mailbox, set_clock: SetClock, centre: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    readers = ("adv0", "adv1", "adv2")
    want_digest(*readers)
    before = tmp_path_factory.mktemp("before")
    store.close()
    shutil.copytree(centre, before, dirs_exist_ok=True)
    set_clock(MONDAY)
    whole = send_elsewhere("write", 0)
    writes = int(whole.stdout)
    assert len(mailed.receivers) == 3 and writes > 12
    points = [("write", number) for number in range(1, writes + 1)]
    points += [(when, number) for when in ("before", "after") for number in (1, 2, 3)]
    repeated = 0
    for when, number in points:
        mailed.mails.clear(), mailed.receivers.clear()
        store.close()
        shutil.rmtree(centre)
        shutil.copytree(before, centre)
        set_clock(MONDAY)
        assert send_elsewhere(when, number).returncode < 0, (when, number)
        set_clock(LATER)  # the claim of the dead one is over
        worker.work()
        assert worker.work() == 0
        for username in readers:
            mails = mailed.of(address_of(username))
            assert 1 <= len(mails) <= 2, (when, number, username)
            assert len({mail["Message-ID"] for mail in mails}) == 1
            repeated += len(mails) - 1
        assert len(mailed.receivers) <= 4
        assert {entry.state for entry in ledger.find_all(SYSTEM)[:3]} == {"sent"}
    # Only a mail that was taken, and not noted before the kill, goes out twice.
    assert 0 < repeated <= len(points)


WEEKS = [date(2026, 10, 5), date(2027, 3, 8)]
"""First Mondays of five weeks around each change of the clock."""
WEEKS_EACH = 5
TEAMS = {f"Team{n}": f"Site{n % 3}" for n in range(12)}
ROLES = {"team_lead": 12, "manager": 6, "executive": 4, "evaluator": 40, "advisor": 122,
         "dpo": 8, "admin": 8}  # fmt: skip
WANTING_ADVISORS = 12
HOLIDAYS = {date(2027, 3, 29): date(2027, 3, 30)}
"""Easter Monday, whose mails come a day later."""
PAGES = {
    "advisor": "my_quality",
    "team_lead": "overview",
    "manager": "overview",
    "executive": "board",
}


def build_large(add_person: Callable[..., str], draw: random.Random) -> dict[str, str]:
    """Two hundred accounts. Returns the role of each."""
    advisors = {f"a{n}": f"Person {n}" for n in range(ROLES["advisor"])}
    add_people(advisors, TEAMS)
    roles = {}
    for role, count in ROLES.items():
        for n in range(count):
            bounds = {
                "team_lead": {"teams": (f"Team{n % 12}",)},
                "manager": {"sites": (f"Site{n % 3}",), "sees_unassigned": n == 0},
                "advisor": {"advisor_id": f"a{n}"},
            }.get(role, {})
            roles[add_person(f"{role.replace('_', '')}{n}", role, **bounds)] = role
    with store.writing() as session:
        for username, role in roles.items():
            wants = role != "advisor" or int(username[7:]) < WANTING_ADVISORS
            has_digest = role in ("advisor", "team_lead", "manager", "executive")
            session.add(
                MailChoice(
                    username=username,
                    address=address_of(username),
                    confirmed_at=now(),
                    digest=wants if has_digest else None,
                )
            )
    for username in roles:
        accounts.set_language(viewer_of(username), draw.choice(("en", "fr")))
    return roles


def bring_days(draw: random.Random, first: date, days: int) -> None:
    land(
        (
            contact(
                datetime.combine(first + timedelta(days=day), time(9))
                + timedelta(minutes=draw.randrange(480)),
                f"{first}-{day}-{call}",
                advisor_id=f"a{draw.randrange(ROLES['advisor'])}",
                team=f"Team{draw.randrange(12)}",
                queue=draw.choice(("billing", "sales", "help")),
                outcome="abandoned" if draw.random() < 0.15 else "answered",
                wait_seconds=float(draw.randrange(90)),
                talk_seconds=float(draw.randrange(60, 400)),
                csat=draw.choice((None, 3, 4, 5)),
                csat_scale="1-5",
            )
            for day in range(days)
            for call in range(40)
        ),
        str(first),
    )


def change_centre(draw: random.Random, roles: dict[str, str], gone: set[str]) -> None:
    """Close, move and change accounts, as in any week."""
    names = [name for name in roles if name not in gone and roles[name] in ("team_lead", "advisor")]
    for name in draw.sample(names, 3):
        accounts.disable(SYSTEM, name)
        gone.add(name)
    leads = [name for name in roles if roles[name] == "team_lead" and name not in gone]
    for name in draw.sample(leads, 2):
        terms = accounts.AccountTerms(Role.TEAM_LEAD, teams=(draw.choice(list(TEAMS)),))
        accounts.change(SYSTEM, name, terms)


def read_parts(mail: EmailMessage) -> dict[str, list[str]]:
    """Read the lines of each section of a mail, by its heading."""
    parts = {}
    for block in text_of(mail).partition("\n--\n")[0].split("\n\n"):
        heading, *lines = block.strip().splitlines()
        if lines and all(line.startswith("- ") for line in lines):
            parts[heading] = [line.removeprefix("- ") for line in lines]
    return parts


def unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def compare_with_pages(mail: EmailMessage, role: str, open_page: Callable[..., AppTest]) -> int:
    """Compare each figure and sentence of a mail with its reader's pages, in the language of
    both. Returns how many.
    """
    app, parts = open_page(PAGES[role]), read_parts(mail)
    assert not app.exception and not app.error
    tiles = {as_read(one.label): (one.value, one.delta or None) for one in app.metric}
    said = text_of_page(app).replace("**", "")
    for line in parts.pop(_("Figures").upper()):
        title, value = re.split(r"\s?: ", line, maxsplit=1)
        value, *notes = value.split(" · ")
        # Below a tile, no line breaks within a note.
        assert all(unbroken(note) in unbroken(said) for note in notes), line
        if role == "executive":
            assert value in [shown for shown, _change in tiles.values()], line
            continue
        if title not in tiles:  # why a figure has no comparison
            assert line in said, (line, said)
            continue
        value, change = re.fullmatch(r"(.+?)(?: \((.+)\))?", value).groups()
        missing = ":gray[–]" if value == _("no data") else value
        assert tiles[title] == (missing, change), (line, tiles[title])
    if role in ("team_lead", "manager"):
        week = text_of_page(open_page("advisors"))
        for line in parts.pop(_("Waiting for you").upper(), ()):
            title, count = re.split(r"\s?: ", line, maxsplit=1)
            assert f"**{title}**" in week, line
            if not count.isdecimal():
                assert count in week, line
            elif (more := int(count) - this_week.MAX_LINES) > 0:
                text = "{n} more after these"
                assert ngettext(text, text, more) in week, line
    for line in itertools.chain(*parts.values()):
        assert line in said, (line, said)
    return sum(map(len, read_parts(mail).values()))


@pytest.mark.long
def test_ten_weeks_of_two_hundred_accounts(
    box: Mailbox,
    set_clock: SetClock,
    add_person: Callable[..., str],
    open_app: Callable[..., AppTest],
) -> None:
    draw = random.Random(200)
    set_clock("2026-09-01T08:00")
    roles, gone = build_large(add_person, draw), set()
    gates.set_gate(SYSTEM, "delivery_since", "2026-09-01")
    read, compared, ids = 0, 0, defaultdict(set)
    for first in WEEKS:
        bring_days(draw, first - timedelta(days=70), 70)
        set_clock(f"{first - timedelta(days=1)}T12:00")
        publish()
        settle_week()
        for week in range(WEEKS_EACH):
            monday = first + timedelta(weeks=week)
            bring_days(draw, monday - timedelta(days=7), 7)
            failing = draw.sample([name for name in roles if name not in gone], 5)
            box.answers = {address_of(name): "451 later" for name in failing}
            day = HOLIDAYS.get(monday, monday)
            set_clock(f"{day}T06:58")
            assert worker.work() == 0
            set_clock(f"{day}T07:02")
            worker.enter_due()
            change_centre(draw, roles, gone)  # between schedule and run
            for minute in (3, 9, 15, 21, 27):
                set_clock(f"{day}T07:{minute:02d}")
                worker.work()
            box.answers = {}
            set_clock(f"{day}T09:30")
            worker.work()
            receivers = [to.partition("@")[0] for to in box.receivers]
            weekly = [name for name in receivers if roles[name] != "executive"]
            wanting = {
                name
                for name, role in roles.items()
                if name not in gone
                and (role in ("team_lead", "manager")
                     or (role == "advisor" and int(name[7:]) < WANTING_ADVISORS))
            }  # fmt: skip
            assert not gone & set(receivers)
            assert sorted(weekly) == sorted(wanting)
            assert len(receivers) == len(set(receivers))
            for name, mail in zip(receivers, box.mails, strict=True):
                ids[name].add(mail["Message-ID"])
                with i18n.in_language(viewer_of(name).language):
                    compared += compare_with_pages(mail, roles[name], partial(open_app, name))
                read += 1
            box.take()
    assert all(len(found) <= 2 * WEEKS_EACH for found in ids.values())
    assert read > 250 and compared > 1500
