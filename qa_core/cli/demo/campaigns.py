"""Campaigns with their numbers and dates, what the call tracker saw of them, and their costs."""

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.contacts import CHAT, PHONE
from qa_core.cli.demo.extracts import Extracts, pick, to_utc
from qa_core.cli.demo.seasons import Calendar
from qa_core.cli.demo.staff import QUEUES
from qa_core.cli.demo.story import STORY, DemoPlan, column

CAMPAIGNS = STORY.campaigns
ALWAYS = (100_000, 0)
FIRST_AGES, LAST_AGES = np.array([entry.get("ages", ALWAYS) for entry in CAMPAIGNS]).T
"""Ages in days between which each campaign runs."""
QUEUE_PULL = np.array([0.15, 0.07, 0.24, 0.74, 0.06])
"""Share of first calls to each queue that come through a number of a campaign."""
SEEN_BY_TRACKER, CHAT_SEEN = 0.9, 0.6


class Tracking:
    """Attribution of contacts to campaigns; the tools see less of it."""

    def __init__(self, plan: DemoPlan, calendar: Calendar, extracts: Extracts) -> None:
        self.calendar, self.extracts = calendar, extracts
        self.chance = plan.chance("campaigns")
        wave = extracts.wave
        first = extracts.inbound & (wave.depth == 0) & np.isin(wave.channel, (PHONE, CHAT))
        share = np.where(wave.channel == CHAT, CHAT_SEEN, QUEUE_PULL[wave.queue])
        self.rows = np.nonzero(first & (self.chance.random(len(wave)) < share))[0]
        day, queue = calendar.position(wave.at[self.rows]), wave.queue[self.rows]
        pulls = np.cumsum(self._pulls(), axis=2)[day, queue]
        self.campaign = (pulls <= (self.chance.random(len(self.rows)) * pulls[:, -1])[:, None]).sum(
            axis=1
        )

    def _pulls(self) -> np.ndarray:
        """Compute the pull of running campaigns: days × queues × campaigns."""
        age = self.calendar.age[:, None]
        pull = ((age <= FIRST_AGES) & (age >= LAST_AGES)) * column(CAMPAIGNS, "pull")
        on_bills = column(CAMPAIGNS, "page") == "/nouvelle-facture"
        factors = [np.where(on_bills, 0.15 if queue else 4.0, 1.0) for queue in range(len(QUEUES))]
        return np.stack([pull * factor for factor in factors], axis=1)

    def called_numbers(self) -> pa.Array:
        """Draw the campaign number that each contact called; null for the main number."""
        position = np.full(len(self.extracts.wave), -1)
        by_phone = self.extracts.wave.channel[self.rows] == PHONE
        position[self.rows[by_phone]] = self.campaign[by_phone]
        return pick(_list("number"), np.maximum(position, 0), position >= 0)

    def by_number(self) -> pa.Table:
        """Export the call tracker: number and time to some seconds, but no contact."""
        by_phone = self.extracts.wave.channel[self.rows] == PHONE
        seen = by_phone & (self.chance.random(len(self.rows)) < SEEN_BY_TRACKER)
        delay = self.chance.integers(-3, 7, seen.sum()).astype("timedelta64[s]")
        return pa.table(
            {
                "started_at": to_utc(self.extracts.wave.at[self.rows[seen]] + delay),
                "tracking_number": pick(_list("number"), self.campaign[seen]),
                **self._attribution(self.campaign[seen]),
            }
        )

    def by_contact(self) -> pa.Table:
        """Export the web analytics of chats, with the id of each."""
        chat = self.extracts.wave.channel[self.rows] == CHAT
        online = chat & np.not_equal(column(CAMPAIGNS, "page"), None)[self.campaign]
        ids = self.extracts.ids.take(pa.array(self.rows[online]))
        return pa.table({"contact_id": ids, **self._attribution(self.campaign[online])})

    def _attribution(self, campaign: np.ndarray) -> dict[str, pa.Array]:
        keywords = [entry.get("keywords", ()) for entry in CAMPAIGNS]
        words = [word for entry in keywords for word in entry]
        starts = np.cumsum([0, *map(len, keywords)])
        count = np.diff(starts)[campaign]
        word = starts[campaign] + (self.chance.random(len(campaign)) * count).astype(int)
        is_known = (count > 0) & (self.chance.random(len(campaign)) < 0.8)
        return {
            "source": pick(_list("source"), campaign),
            "medium": pick(_list("medium"), campaign),
            "campaign": pick(_list("name"), campaign),
            "keyword": pick(pa.array(words), np.minimum(word, len(words) - 1), is_known),
            "landing_page": pick(_list("page"), campaign),
        }

    def spend(self) -> pa.Table:
        """Compute the daily cost of each paid campaign; one network's last bill is missing."""
        chance, calendar = self.chance, self.calendar
        rows = []
        for position, campaign in enumerate(CAMPAIGNS):
            first, last = FIRST_AGES[position], LAST_AGES[position]
            last = max(last, 1) if campaign.source == "meta" else last
            days = np.nonzero((calendar.age <= first) & (calendar.age >= last))[0]
            if "euros_a_call" not in campaign or not len(days):
                continue
            # Budgets follow what they usually bring, not what each day brought.
            usual = np.sum(self.campaign == position) / len(days) * campaign.euros_a_call
            usual = usual * np.where(calendar.weekday[days] >= 5, 0.7, 1.12)
            amounts = np.round(usual * chance.lognormal(-0.02, 0.2, len(days)), 2)
            rows += [
                {
                    "day": calendar.days[day].item(),
                    "amount": amount,
                    "source": campaign.source,
                    "medium": campaign.medium,
                    "campaign": campaign.get("name"),
                    "currency": "EUR",
                }
                for day, amount in zip(days, amounts, strict=True)
            ]
        return pa.Table.from_pylist(rows).sort_by("day")


def _list(name: str) -> pa.Array:
    """List one value of each campaign, null where it has none."""
    return pa.array([entry.get(name) for entry in CAMPAIGNS])
