"""Campaigns with their numbers and dates, what the call tracker saw of them, and their costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.contacts import CHAT, PHONE
from qa_core.cli.demo.extracts import Extracts, pick, to_utc
from qa_core.cli.demo.plan import TEXTS, DemoPlan
from qa_core.cli.demo.seasons import Calendar
from qa_core.cli.demo.staff import QUEUES


@dataclass(frozen=True)
class Campaign:
    """Campaign between two `ages` in days; numbers are ARCEP's for fiction."""

    source: str
    medium: str
    number: str
    pull: float
    name: str | None = None
    ages: Sequence[int] = (100_000, 0)
    euros_a_call: float = 0.0
    keywords: Sequence[str] = ()
    page: str | None = None


CAMPAIGNS = tuple(Campaign(**entry) for entry in TEXTS["campaigns"])
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
        runs = np.array([[campaign.ages[0], campaign.ages[1]] for campaign in CAMPAIGNS])
        pull = ((age <= runs[:, 0]) & (age >= runs[:, 1])) * np.array(
            [campaign.pull for campaign in CAMPAIGNS]
        )
        on_bills = np.array([campaign.page == "/nouvelle-facture" for campaign in CAMPAIGNS])
        return np.stack(
            [
                pull * np.where(on_bills, 4.0 if queue == 0 else 0.15, 1.0)
                for queue in range(len(QUEUES))
            ],
            axis=1,
        )

    def called_numbers(self) -> pa.Array:
        """Draw the campaign number that each contact called; null for the main number."""
        position = np.full(len(self.extracts.wave), -1)
        by_phone = self.extracts.wave.channel[self.rows] == PHONE
        position[self.rows[by_phone]] = self.campaign[by_phone]
        return pick(
            pa.array([campaign.number for campaign in CAMPAIGNS]),
            np.maximum(position, 0),
            position >= 0,
        )

    def by_number(self) -> pa.Table:
        """Export the call tracker: number and time to some seconds, but no contact."""
        by_phone = self.extracts.wave.channel[self.rows] == PHONE
        seen = by_phone & (self.chance.random(len(self.rows)) < SEEN_BY_TRACKER)
        at = self.extracts.wave.at[self.rows[seen]] + self.chance.integers(
            -3, 7, seen.sum()
        ).astype("timedelta64[s]")
        numbers = pick(pa.array([campaign.number for campaign in CAMPAIGNS]), self.campaign[seen])
        return pa.table(
            {
                "started_at": to_utc(at),
                "tracking_number": numbers,
                **self._attribution(self.campaign[seen]),
            }
        )

    def by_contact(self) -> pa.Table:
        """Export the web analytics of chats, with the id of each."""
        chat = self.extracts.wave.channel[self.rows] == CHAT
        online = (
            chat & np.array([campaign.page is not None for campaign in CAMPAIGNS])[self.campaign]
        )
        return pa.table(
            {
                "contact_id": self.extracts.ids.take(pa.array(self.rows[online])),
                **self._attribution(self.campaign[online]),
            }
        )

    def _attribution(self, campaign: np.ndarray) -> dict[str, pa.Array]:
        words = tuple(word for entry in CAMPAIGNS for word in entry.keywords)
        starts = np.cumsum([0, *(len(entry.keywords) for entry in CAMPAIGNS)])
        count = np.diff(starts)[campaign]
        word = starts[campaign] + (self.chance.random(len(campaign)) * count).astype(int)
        return {
            "source": pick(pa.array([entry.source for entry in CAMPAIGNS]), campaign),
            "medium": pick(pa.array([entry.medium for entry in CAMPAIGNS]), campaign),
            "campaign": pick(pa.array([entry.name for entry in CAMPAIGNS]), campaign),
            "keyword": pick(
                pa.array(words),
                np.minimum(word, len(words) - 1),
                (count > 0) & (self.chance.random(len(campaign)) < 0.8),
            ),
            "landing_page": pick(pa.array([entry.page for entry in CAMPAIGNS]), campaign),
        }

    def spend(self) -> pa.Table:
        """Compute the daily cost of each paid campaign; one network's last bill is missing."""
        chance, calendar = self.chance, self.calendar
        found = []
        for position, campaign in enumerate(CAMPAIGNS):
            if not campaign.euros_a_call:
                continue
            runs = (calendar.age <= campaign.ages[0]) & (calendar.age >= campaign.ages[1])
            if campaign.source == "meta":
                runs &= calendar.age > 0
            days = np.nonzero(runs)[0]
            if not len(days):
                continue
            # Budgets follow what they usually bring, not what each day brought.
            usual = np.sum(self.campaign == position) / len(days) * campaign.euros_a_call
            amounts = np.round(
                usual
                * np.where(calendar.weekday[days] >= 5, 0.7, 1.12)
                * chance.lognormal(-0.02, 0.2, len(days)),
                2,
            )
            words = {
                "source": campaign.source,
                "medium": campaign.medium,
                "campaign": campaign.name,
                "currency": "EUR",
            }
            repeated = {
                name: pa.array([word] * len(days), pa.string()) for name, word in words.items()
            }
            found.append(
                pa.table(
                    {
                        "day": pa.array(calendar.days[days], pa.date32()),
                        "amount": pa.array(amounts),
                        **repeated,
                    }
                )
            )
        return pa.concat_tables(found).sort_by("day")
