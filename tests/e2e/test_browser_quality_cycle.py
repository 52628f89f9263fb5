"""The quality cycle in a real browser, each person in a browser of their own: from
closed gates to a coaching plan, and who is told nothing meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
import raw
import sqlalchemy as sa
from builders import sounds
from builders.import_files import bring
from builders.servers import MAX_MILLISECONDS
from builders.visitors import PASSWORD
from playwright.sync_api import TimeoutError
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from qa_core import ingest
from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.files.options import ImportOptions
from qa_core.metrics import query
from qa_core.quality import scorecards
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
    Playback,
    Recording,
)
from qa_core.storage.records.people import Advisor
from qa_core.ui.server import browser

pytestmark = pytest.mark.browser
ATTEMPTS = 12
DAY = environment.today() - timedelta(days=3)
GRID = {
    "title": "Short",
    "pass_mark": 75,
    "section": [
        {
            "name": "Welcome",
            "weight": 1,
            "criterion": [
                {
                    "key": "greeting",
                    "text": {"en": "Greets the caller"},
                    "points": 2,
                    "levels": [0, 1, 2],
                },
                {
                    "key": "identity",
                    "text": {"en": "Checks who calls"},
                    "points": 2,
                    "levels": [0, 2],
                    "not_applicable": True,
                    "critical": "compliance",
                },
            ],
        },
        {
            "name": "Answer",
            "weight": 3,
            "criterion": [
                {
                    "key": "accuracy",
                    "text": {"en": "Says what is right"},
                    "points": 4,
                    "levels": [0, 1, 2, 3, 4],
                },
                {"key": "courtesy", "text": {"en": "Stays polite"}, "points": 1},
            ],
        },
    ],
}
"""Welcome is a quarter of the whole, Answer three quarters."""
GATES = {
    "Works council consulted on": "day",
    "Callers informed since": "day",
    "Purposes": "purposes",
} | dict.fromkeys(("Recordings kept for (months)", "Evaluations kept for (months)"), "months")
SUBMIT = re.compile("^Submit")
"""Its shortcut is a part of its name."""
DENIED = "You do not have access to this, or it does not exist."


@pytest.fixture(scope="module")
def centre(server) -> Path:
    """Thirty calls of Ana and Ben in the team North, the last one of a caller who
    objected; a grid of four criteria; an account for each role.
    """
    header = (
        "contact_id,started_at,channel,direction,outcome,advisor,team,queue,talk_seconds,"
        "recorded,notice_played,customer_objected"
    )
    rows = [
        f"q{n},{datetime.combine(DAY, time(9)) + timedelta(minutes=15 * n)},phone,inbound,"
        f"answered,{'Ana' if n % 2 else 'Ben'},North,Orders,180,"
        f"yes,yes,{'yes' if n == 30 else 'no'}"
        for n in range(1, 31)
    ]
    bring(server.folder, "contacts", "\n".join((header, *rows)) + "\n")
    assert (
        scorecards.publish(Viewer.SYSTEM, scorecards.create_draft(Viewer.SYSTEM, "short", GRID), 1)
        == 1
    )
    with store.reading() as session:
        advisors = dict(session.execute(sa.select(Advisor.name, Advisor.advisor_id)).all())
    for username, role, bounds in (
        ("dora", "dpo", {}),
        ("mona", "manager", {"sites": ("Lyon",), "sees_unassigned": True}),
        ("tom", "team_lead", {"teams": ("North",)}),
        ("eve", "evaluator", {}),
        ("ana", "advisor", {"advisor_id": advisors["Ana"]}),
        ("ben", "advisor", {"advisor_id": advisors["Ben"]}),
        ("xavier", "executive", {}),
    ):
        accounts.add(Viewer.SYSTEM, username, role, password=PASSWORD, **bounds)
    return server.folder


@pytest.fixture
def enter(new_page, let_in, centre) -> Iterator[Callable[..., object]]:
    """The browser of that person at that address; signed in the first time."""
    pages: dict[str, object] = {}
    failed: list[str] = []

    def go(username: str, address: str):
        page = pages.get(username)
        if page is None:
            page = pages[username] = new_page()
            page.on("pageerror", lambda error: failed.append(f"{username}: {error}"))
            let_in(page, username)
        elif page.is_closed():
            page = pages[username] = page.context.new_page()
        page.goto(address)
        settle(page)
        return page

    yield go
    assert failed == []


def settle(page) -> None:
    """Wait until the page is drawn and the server has nothing more to say."""
    page.get_by_role("button", name="Sign out").wait_for()
    page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
    page.locator("[data-testid='stSkeleton']").first.wait_for(state="detached")


def press(page, name: str, within=None) -> None:
    """Press that button. What comes of it is waited for by what the page then says."""
    (within or page).get_by_role("button", name=name, exact=True).click()


def say(page, text: str) -> None:
    """Wait until the page says so, and is drawn to its end.

    In these very letters: a text looked for as it is would be found in other cases too,
    "Dispute" in "can be disputed once".
    """
    page.get_by_test_id("stMain").get_by_text(re.compile(re.escape(text))).first.wait_for()
    settle(page)


def enter_day(within, label: str, day) -> None:
    """Type a day: part by part, as the field takes it."""
    parts = within.get_by_role("group", name=label, exact=True).get_by_role("spinbutton")
    parts.nth(2).wait_for(timeout=MAX_MILLISECONDS / ATTEMPTS)
    for part, digits in zip(parts.all(), (f"{day:%d}", f"{day:%m}", f"{day:%Y}"), strict=True):
        part.press_sequentially(digits)
    # A press beside it closes the calendar, which hides what is below or above the field.
    within.get_by_text(label, exact=True).first.dispatch_event("pointerdown")


def choose(page, within, label: str, *options: str) -> None:
    """Choose in a list by typing."""
    field = within.get_by_role("combobox", name=re.compile(re.escape(label)))
    for option in options:
        if field.input_value() != option:  # the one chosen already opens no list
            choose_one(page, field, option)
    page.keyboard.press("Tab")
    try:
        page.get_by_role("option").first.wait_for(state="hidden", timeout=3000)
    except TimeoutError:
        # Within a popover the list keeps the focus; Escape closes the list alone. Where
        # the list is closed already, it would close the popover.
        field.press("Escape")


def choose_one(page, field, option: str) -> None:
    """Type until the list offers the option: a page that is drawn again meanwhile closes
    the list, and a person would type once more.
    """
    offered = page.get_by_role("option", name=option).first
    for _attempt in range(ATTEMPTS):
        # At the edge of the window there is no room for the list.
        field.evaluate("element => element.scrollIntoView({block: 'center'})")
        field.fill("")
        field.fill(option)
        with suppress(TimeoutError):
            offered.click(timeout=MAX_MILLISECONDS / ATTEMPTS)
            return
    raise AssertionError(f"{field.input_value()!r} is typed, and {option} never offered")


def shown(page) -> str:
    return page.get_by_test_id("stMain").inner_text()


def score() -> float | None:
    (value,) = query.measure(Viewer.SYSTEM, ("evaluation_score",))["value"]
    return None if value != value else value


def count(table) -> int:
    with store.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table))


def find_drawn(contact_id: str) -> int:
    with store.reading() as session:
        return session.scalar(
            sa.select(DrawnContact.id).where(DrawnContact.contact_id == contact_id)
        )


def find_evaluation(contact_id: str) -> Evaluation:
    """The only one of that contact."""
    with store.reading() as session:
        return session.scalars(
            sa.select(Evaluation).where(Evaluation.contact_id == contact_id)
        ).one()


def are_refused(server, usernames: Iterable[str], page: str, query: str = "") -> None:
    """Each of them is told that there is nothing here, and nothing of the evaluation."""
    for username in usernames:
        cookies = {XSRF_COOKIE_NAME: generate_xsrf_token_string()}
        here = browser.build(cookies, {}, "127.0.0.1")
        cookies[browser.COOKIE] = sessions.sign_in(username, PASSWORD, here, one_time_days=7)
        seen = raw.visit(server.host, page, query, cookies)
        assert DENIED.rstrip(".") in seen.text, username
        assert tell_nothing(seen.text), username


def tell_nothing(text: str) -> bool:
    """Return whether a text holds nothing of the evaluation."""
    return not [
        told
        for told in ("Greets the caller", "Says what is right", "57.5", "Warm and clear")
        if told in text
    ]


def is_refused(page) -> None:
    say(page, DENIED)
    assert tell_nothing(shown(page))


def test_from_closed_gates_to_a_coaching_plan(enter, server, centre) -> None:
    manager = enter("mona", "/listening")
    refuse_a_draw(manager)
    open_the_centre(enter("dora", "/listening_rules"))
    bring_recordings(centre)
    draw_again(manager)
    first = find_drawn("q1")
    eve = enter("eve", "/evaluate")
    begin(eve, first)
    evaluation_id = find_evaluation("q1").id
    answer_some(eve)
    own = f"id={evaluation_id}"
    is_refused(enter("ana", f"/evaluation?{own}"))
    are_refused(server, ("ben", "tom", "mona", "xavier", "dora", "root"), "evaluation", own)
    are_refused(server, ("ana",), "evaluate", own)
    assert "evaluation to read" not in shown(enter("ana", "/my_quality")) and score() is None
    eve.close()
    sign(enter("eve", f"/evaluate?id={evaluation_id}"))
    assert score() == pytest.approx(57.5)  # Welcome 1 of 2, Answer 3 of 5: 12.5 + 45

    answer_as_advisor(enter("ana", "/my_quality"))
    assert score() == pytest.approx(57.5)
    are_refused(server, ("ben", "xavier", "dora", "root"), "evaluation", own)
    decide(enter("mona", "/disputes"))
    assert score() == pytest.approx(87.5)  # Answer 5 of 5: 12.5 + 75
    read_the_decision(enter("ana", "/my_quality"))

    open_plan(enter("tom", "/coaching"))
    page = enter("ana", "/my_quality")
    say(page, "Coaching: Names the day of delivery")
    page.get_by_role("link", name="Coaching: Names the day of delivery").click()
    say(page, "Sessions and remarks")
    assert "Names the day of delivery" not in shown(enter("ben", "/coaching"))
    are_refused(server, ("xavier",), "coaching")


def refuse_a_draw(page) -> None:
    say(page, "Listening is not open yet.")
    form = page.get_by_test_id("stForm")
    form.get_by_label("Name", exact=True).fill("Autumn")
    choose(page, form, "Purpose", "evaluation")
    choose(page, form, "Scorecard", "Short")
    enter_day(form, "First day of contacts", DAY)
    enter_day(form, "Last day of contacts", DAY)
    choose(page, form, "Evaluators", "eve")
    press(page, "Make a plan")
    say(page, "Saved.")
    page.get_by_role("radio", name="Draws").click()
    page.get_by_label("Seed", exact=True).wait_for()
    settle(page)  # until the plans, each with such a button, are gone
    press(page, "Draw")
    alerts = page.get_by_test_id("stAlert").filter(has_text="Listening is not open yet")
    alerts.nth(1).wait_for()  # the page said so before; now the draw is refused too
    for title in (*GATES, "Accredited listeners"):
        assert title in alerts.nth(1).inner_text()
    assert count(Draw) == 0


def open_section(page, name: str) -> None:
    """Open that section of the page Compliance."""
    page.goto(f"/listening_rules?section={name}")
    settle(page)


def enter_gates(page, day) -> None:
    """Enter every legal condition, each with that day."""
    say(page, "Not yet: 6 gates are closed")
    open_section(page, "gates")
    page.get_by_role("button", name="Enter").nth(len(GATES) - 1).wait_for()
    settle(page)
    for number, (title, kind) in enumerate(GATES.items()):
        card = (
            page.get_by_test_id("stVerticalBlock")
            .filter(has=page.get_by_text(title, exact=True))
            .filter(has=page.get_by_role("button", name="Enter"))
            .last
        )
        for _attempt in range(ATTEMPTS):
            card.get_by_role("button", name="Enter").click()
            popover = page.get_by_test_id("stPopoverBody")
            popover.get_by_role("button", name="Save", exact=True).wait_for()
            # A popover that closed meanwhile is opened again, as a person would.
            with suppress(TimeoutError):
                if kind == "day":
                    enter_day(popover, title, day)
                elif kind == "purposes":
                    choose(page, popover, title, "training", "evaluation")
                save = popover.get_by_role("button", name="Save", exact=True)
                save.click(timeout=MAX_MILLISECONDS / ATTEMPTS)
                break
        page.get_by_role("button", name="Edit").nth(number).wait_for()
        settle(page)


def open_the_centre(page) -> None:
    enter_gates(page, DAY - timedelta(days=60))
    open_section(page, "people")
    form = page.get_by_test_id("stForm").filter(has_text="Purposes")
    assert (
        "quality of service" not in form.inner_text()
    )  # the purposes entered are the ones proposed
    choose(page, form, "Accredit", "eve")
    press(page, "Accredit")
    say(page, "Saved.")
    open_section(page, "rules")
    say(page, "2 advisors are not informed yet")
    open_section(page, "people")
    form = page.get_by_test_id("stForm").filter(has_text="all 2 advisors")
    form.get_by_text("all 2 advisors who are not informed yet").click()
    enter_day(form, "Informed on", DAY - timedelta(days=30))
    press(page, "Save", form)
    say(page, "Saved.")
    open_section(page, "rules")
    say(page, "Every gate is open, and every advisor is informed.")


def bring_recordings(folder: Path) -> None:
    """One call of Ana's, one of Ben's, and the one whose caller objected, which is not
    taken.
    """
    sent = folder / "sent"
    for n in (1, 2, 30):
        sounds.make(sent / f"q{n}.wav", seconds=12)
    manifest = sent / "manifest.csv"
    manifest.write_text(
        "file,contact_id,purpose\n" + "".join(f"q{n}.wav,q{n},evaluation\n" for n in (1, 2, 30)),
        encoding="utf-8",
    )
    (report,) = ingest.run(Viewer.SYSTEM, "recordings", [manifest], ImportOptions())
    assert (report.tally.read, report.tally.new, report.tally.rejected) == (3, 2, 1), (
        report.as_text()
    )
    with store.reading() as session:
        assert sorted(
            session.scalars(sa.select(Recording.contact_id).where(Recording.file_name.is_not(None)))
        ) == ["q1", "q2"]


def draw_again(page) -> None:
    page.reload()
    settle(page)
    assert page.get_by_text("Listening is not open yet").count() == 0
    press(page, "Draw")
    say(page, "2 contacts are drawn and assigned.")
    with store.reading() as session:
        (draw,) = session.scalars(sa.select(Draw))
        assert draw.excluded["objected"] == 1
        assert sorted(
            session.execute(sa.select(DrawnContact.contact_id, DrawnContact.evaluator)).all()
        ) == [("q1", "eve"), ("q2", "eve")]


def begin(page, drawn_id: int) -> None:
    say(page, "2 contacts to evaluate")
    chosen = page.locator(f".st-key-start_{drawn_id}")
    if not chosen.count():  # the other one is first: the arrow keys choose the second row
        page.locator("canvas").first.focus()
        page.keyboard.press("ArrowDown")
    press(page, "Start", chosen)
    page.wait_for_url(re.compile(r"[?&]id="))
    say(page, "0 of 4")


def answer(page, criterion: str, value: str, told: str) -> None:
    page.get_by_role("radiogroup", name=criterion).get_by_role(
        "radio", name=value, exact=True
    ).click()
    say(page, told)


def answer_some(page) -> None:
    player = page.locator(".player")
    player.get_by_role("button", name="Play").click()
    find = (
        "[...document.querySelectorAll('*')].map((e) => "
        "e.shadowRoot?.querySelector('.player audio')).find(Boolean)"
    )
    page.wait_for_function(f"() => {find}?.currentTime >= 1")
    answer(page, "Greets the caller", "1", "1 of 4")
    answer(page, "Checks who calls", "0", "0 fails the whole evaluation")
    failure = page.get_by_text("Critical for compliance: Checks who calls.")
    failure.wait_for()
    answer(page, "Checks who calls", "N/A", "2 of 4")
    failure.wait_for(state="detached")
    field = page.get_by_role("textbox", name=re.compile("What you would tell"))
    field.fill("Warm and clear")
    field.press("Tab")
    moved = page.evaluate(f"() => {find}.currentTime")
    page.wait_for_function(f"() => {find}.currentTime > {moved} || {find}.ended")
    page.get_by_role("button", name=SUBMIT).click()
    say(page, "Criteria without an answer")
    with store.reading() as session:
        assert session.execute(
            sa.select(Playback.username, Playback.contact_id, Playback.purpose)
        ).all() == [("eve", "q1", "evaluation")]


def sign(page) -> None:
    say(page, "2 of 4")
    assert (
        page.get_by_role("textbox", name=re.compile("What you would tell")).input_value()
        == "Warm and clear"
    )
    for criterion, value in (("Greets the caller", "1"), ("Checks who calls", "N/A")):
        assert (
            page.get_by_role("radiogroup", name=criterion)
            .get_by_role("radio", name=value, exact=True)
            .is_checked()
        )
    answer(page, "Says what is right", "2", "3 of 4")
    answer(page, "Stays polite", "Yes", "4 of 4")
    # The comment is saved by the very click that submits.
    page.get_by_role("textbox", name=re.compile("What you would tell")).fill(
        "Warm and clear, at length"
    )
    page.get_by_role("button", name=SUBMIT).dblclick()
    say(page, "Submitted and published: the advisor can read it.")
    made = find_evaluation("q1")
    assert (made.state, made.evaluator, made.score, made.comment) == (
        "published",
        "eve",
        pytest.approx(57.5),
        "Warm and clear, at length",
    )


def answer_as_advisor(page) -> None:
    page.get_by_role("button", name="1 evaluation to read").click()
    say(page, "Warm and clear")
    press(page, "I have read it")
    say(page, "Read by the advisor")
    press(page, "Dispute", page.locator(".st-key-dispute_accuracy"))
    page.get_by_role("radiogroup", name="Answer").get_by_text("4 of 4").click()
    page.get_by_role("textbox", name="Reason").fill("The day was named twice.")
    press(page, "Send")
    say(page, "instead of")
    assert count(Dispute) == 1


def decide(page) -> None:
    say(page, "1 dispute raised today waits for a decision")
    # A canvas has no element for its cells.
    page.get_by_test_id("stDataFrame").first.click(position={"x": 60, "y": 52})
    say(page, "The day was named twice.")
    page.get_by_role("radiogroup", name="Decision").get_by_text("Accept 4 of 4").click()
    page.get_by_role("textbox", name="Reason").fill("It was, at the end.")
    press(page, "Decide")
    say(page, "Accepted: 4 of 4")


def read_the_decision(page) -> None:
    page.get_by_role("button", name="1 decision on your disputes").click()
    say(page, "It was, at the end.")
    say(page, "87.5")


def open_plan(page) -> None:
    press(page, "Open a plan")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name=re.compile("Advisor")).wait_for()
    choose(page, dialog, "Advisor", "Ana")
    dialog.get_by_role("textbox", name="Goal").fill("Names the day of delivery")
    choose(page, dialog, "Criteria", "Greets the caller")
    dialog.get_by_role("button", name="Open a plan").click()
    say(page, "Saved.")
    assert count(CoachingPlan) == 1
