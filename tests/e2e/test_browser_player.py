"""Listening in a real browser: a reason first, one link per listening, the sound runs,
keys and remarks work, and the link is nobody else's.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from builders import centre_with_calls
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.quality.evaluations import timed_comments
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.listening import Playback

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def draft(server) -> int:
    """The calls of the small centre, and the grid that Eve has begun on the one drawn
    for her.
    """
    centre_with_calls.build(
        lambda username, role, **bounds: accounts.add(
            Viewer.SYSTEM, username, role, password=PASSWORD, **bounds
        )
    )
    return centre_with_calls.start_draft()


def entered(contact_id: str) -> tuple[list[tuple[str, str, str]], int]:
    """The listenings to that call as (who, what for, why), and how many the journal
    has.
    """
    with store.reading() as session:
        rows = session.execute(
            sa.select(Playback.username, Playback.purpose, Playback.reason).where(
                Playback.contact_id == contact_id
            )
        ).all()
        journalled = sa.select(sa.func.count()).where(
            JournalRow.action == "recording_played", JournalRow.object == f"generic/{contact_id}"
        )
        return [tuple(row) for row in rows], session.scalar(journalled)


def open_player(page, address: str, username: str, let_in):
    links: list[str] = []
    page.on(
        "request", lambda request: links.append(request.url) if "/audio/" in request.url else None
    )
    let_in(page, username)
    page.goto(address)
    page.locator(".player .wave canvas").first.wait_for(state="attached")
    return page.locator(".player"), links


def position(player) -> int:
    return int(player.locator(".wave").get_attribute("aria-valuenow"))


def wait_for(page, script: str) -> None:
    """Wait until that is true of `player`, the element, and `at`, the second that its
    sound stands at.
    """
    find = (
        "const player = [...document.querySelectorAll('*')].map((e) => "
        "e.shadowRoot?.querySelector('.player')).find(Boolean)"
    )
    page.wait_for_function(
        f"() => {{ {find}; const at = player.querySelector('audio').currentTime; return {script} }}"
    )


PLAYING, STILL = "player.classList.contains('playing')", "!player.classList.contains('playing')"


def test_a_lead_gives_a_reason_and_listens_by_a_link_that_is_of_no_use_to_others(
    new_page, let_in, server, draft
) -> None:
    page = new_page()
    player, links = open_player(page, "/contact?system=generic&id=unheard", "lea", let_in)
    player.get_by_role("button", name="Play").click()
    player.get_by_text("First say why you listen.").wait_for()
    assert links == [] and entered("unheard") == ([], 0)

    # The press is remembered: the reason that follows within three seconds starts what
    # was asked for.
    player.get_by_role("button", name="Play").click()
    reason = page.get_by_role("textbox", name="Why do you listen?")
    reason.fill("Prepares a coaching, not a talk")
    reason.press("Tab")
    player.get_by_text("First say why you listen.").wait_for(state="detached")
    for _tenth in range(50):
        if not links:
            page.wait_for_timeout(100)
    if not links:  # a slow machine took longer, and the press is forgotten
        player.get_by_role("button", name="Play").click()
    wait_for(page, f"{PLAYING} && at >= 2")

    player.get_by_role("button", name="Pause").click()
    player.locator(".wave").click(position={"x": 10, "y": 30})
    player.get_by_role("button", name="Play").click()
    wait_for(page, f"{PLAYING} && at >= 1")
    assert len(links) == 1 and "reason" not in links[0]
    assert entered("unheard") == ([("lea", "training", "Prepares a coaching, not a talk")], 1)

    stranger = new_page()
    assert stranger.request.get(links[0]).status == 404
    open_player(other := new_page(), "/contact?system=generic&id=heard", "ann", let_in)
    assert other.request.get(links[0]).status == 404
    assert page.request.get(links[0]).status == 200
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.request.get(links[0]).status == 404
    assert entered("unheard")[1] == 1


def test_keys_move_the_sound_but_not_while_somebody_types(new_page, let_in, server, draft) -> None:
    page = new_page()
    player, _links = open_player(page, "/contact?system=generic&id=heard", "ann", let_in)
    page.keyboard.press("k")
    wait_for(page, f"{PLAYING} && at >= 1")
    page.keyboard.press("k")
    wait_for(page, STILL)
    before = position(player)
    page.keyboard.press("l")
    page.keyboard.press("l")
    page.keyboard.press("j")
    assert position(player) == before + 5
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("[")
    assert player.get_by_label("Speed").input_value() == "1.25"
    player.locator(".wave").focus()
    page.keyboard.press("Home")
    assert position(player) == 0
    page.keyboard.press(" ")
    wait_for(page, PLAYING)
    assert entered("heard") == ([("ann", "own", "my own call")], 1)


def test_an_evaluator_remarks_at_a_moment_while_the_grid_is_filled_in(
    new_page, let_in, server, draft
) -> None:
    page = new_page()
    player, links = open_player(page, f"/evaluate?id={draft}", "eve", let_in)
    player.get_by_role("button", name="Play").click()
    wait_for(page, f"{PLAYING} && at >= 2")
    page.get_by_role("radio", name="2", exact=True).first.click()
    page.get_by_text("1 of 11").wait_for()
    wait_for(page, f"{PLAYING} && at >= 3")  # an answer given interrupts nothing

    player.get_by_role("button", name="Remark at this moment").click()
    text = page.get_by_label("Remark at", exact=False).and_(page.locator("textarea"))
    text.fill("")
    text.press_sequentially("Kjl [polite]")
    page.get_by_role("button", name="Save", exact=True).click()
    player.get_by_text("Kjl [polite]").wait_for()

    (entry,) = timed_comments.find_comments(centre_with_calls.viewer_of("eve"), draft).entries
    assert (
        3 <= entry.seconds < centre_with_calls.SECONDS
        and abs(entry.seconds - position(player)) <= 1
    )
    assert player.get_by_label("Speed").input_value() == "1"
    page.reload()
    player.locator(".remarks").get_by_text("Kjl [polite]").wait_for()
    player.locator(".wave [part~=marker]").click()
    assert abs(position(player) - entry.seconds) <= 1
    assert len(links) == 1 and len(entered("heard")[0]) <= 2
