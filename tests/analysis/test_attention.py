"""What needs a look, as the Overview and a digest say it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from builders.centres import contact, land

from qa_core.access.roles import Viewer
from qa_core.analysis import attention, headline
from qa_core.metrics.kpis.dimensions import Period

NOW = Period(date(2026, 5, 4), date(2026, 5, 31))
BEFORE = Period(date(2026, 4, 6), date(2026, 5, 3))


def test_a_queue_and_a_reason_of_one_name_are_told_from_each_other(centre: Path) -> None:
    """Billing calls are missed: the queue's name is a reason's name too, the channel's is not."""
    rows = []
    for period, missed in ((BEFORE, 2), (NOW, 15)):
        for day in range(28):
            clock = f"{period.first_day + timedelta(days=day)} 10:00"
            for number in range(30):
                outcome = "missed" if number < missed else "answered"
                rows.append(
                    contact(
                        clock, queue="Billing", reason="Billing", campaign="Spring", outcome=outcome
                    )
                )
                rows.append(contact(clock, queue="Sales", reason="Order"))
    land(rows)
    now = headline.find_headline(Viewer.SYSTEM, ("answer_rate",))

    found = attention.find_attention(Viewer.SYSTEM, now.where, now.compare, now.series, ())
    by_campaign = attention.find_attention(
        Viewer.SYSTEM, now.where, now.compare, now.series, (), cuts=("campaign",)
    )

    assert sorted(item.text.partition("**:")[0] for item in found.worse) == [
        "**Phone", "**Queue Billing", "**Reason Billing",
    ]  # fmt: skip
    assert [item.values for item in by_campaign.worse] == [{"campaign": "Spring"}]


def test_the_heading_says_among_what_nothing_stands_out() -> None:
    # The tiles above it may have changed clearly.
    whole, sources = attention.conclude((), (), True), attention.conclude((), (), True, ["source"])

    assert whole.text == "Nothing stands out by queue, reason and channel"
    assert sources.text == "Nothing stands out by source"
