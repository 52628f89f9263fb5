"""Surveys of the demo centre: who gets one, who answers, and what they answer."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.cli.demo import remarks
from qa_core.cli.demo.contacts import BILLING, WITHHELD
from qa_core.cli.demo.extracts import Extracts, flag, number, pick, to_utc
from qa_core.cli.demo.seasons import Calendar
from qa_core.cli.demo.story import STORY, DemoPlan, column

ANSWERING_SHARE = 0.112

COMMENTING_SHARES = (0.6, 0.22)
"""Share of answers with a comment: of the unhappy, of the others."""


def send(plan: DemoPlan, calendar: Calendar, extracts: Extracts) -> pa.Table:
    """Build the survey export: one row per survey sent, empty where nobody answered."""
    chance, wave = plan.chance("surveys"), extracts.wave
    share = column(STORY.channels, "surveyed")
    eligible = extracts.answered & extracts.inbound & (wave.customer != WITHHELD)
    # Who was asked a few days ago is spared: most repeats get no survey.
    asked = share[wave.channel] * np.where(wave.depth > 0, 0.3, 1.0)
    rows = np.nonzero(eligible & (chance.random(len(wave)) < asked))[0]
    wave, size = wave.keep(rows), len(rows)
    mood = _mood(calendar, extracts, rows, chance)
    sent = wave.at + (1800 + chance.integers(0, 5400, size)).astype("timedelta64[s]")
    answers_after = chance.lognormal(np.log(4 * 3600), 1.3, size)
    answered_at = sent + np.minimum(answers_after, 6 * 86_400).astype("timedelta64[s]")
    # The very unhappy answer somewhat more often, and nobody before the survey has
    # reached them.
    willing = chance.random(size) < ANSWERING_SHARE * np.where(mood < 2.2, 1.35, 1.0)
    known = willing & (calendar.position(answered_at) < calendar.size)
    csat = np.clip(np.round(mood), 1, 5)
    nps = np.clip(np.round(2.0 * mood + 0.15 + chance.normal(0, 1.35, size)), 0, 10)
    ces = np.clip(np.round(1.3 * mood + 0.1 + chance.normal(0, 0.9, size)), 1, 7)
    agrees = np.where(wave.resolved, chance.random(size) < 0.955, chance.random(size) < 0.2)
    contacts = 1 + wave.depth + (chance.random(size) < 0.03)
    written = known & (chance.random(size) < np.where(csat <= 3, *COMMENTING_SHARES))
    in_english = chance.random(size) < remarks.ENGLISH_SHARE
    trouble = calendar.trouble[calendar.position(wave.at)]
    comment = remarks.write_customers(
        plan.chance("remarks"), wave, csat, written, in_english, trouble
    )

    def given(share: float) -> np.ndarray:
        return known & (chance.random(size) < share)

    return pa.table(
        {
            "contact_id": extracts.ids.take(pa.array(rows)),
            "sent_at": to_utc(sent),
            "answered_at": pc.if_else(pa.array(known), to_utc(answered_at), None),
            "survey_sent": pa.array(np.ones(size, dtype=bool)),
            "csat": _where(csat, given(0.97)),
            "csat_scale": pick(pa.array(["1-5"]), np.zeros(size, dtype=int), known),
            "nps": _where(nps, given(0.85)),
            "ces": _where(ces, given(0.8)),
            "survey_resolved": flag(agrees, given(0.93)),
            "survey_contacts": pa.array(contacts, pa.int32(), mask=~given(0.9)),
            "survey_comment": comment,
        }
    )


def _mood(
    calendar: Calendar, extracts: Extracts, rows: np.ndarray, chance: np.random.Generator
) -> np.ndarray:
    """Draw satisfaction around 1–5 from resolution, wait, tries and advisor."""
    wave = extracts.wave.keep(rows)
    trouble = calendar.trouble[calendar.position(wave.at)]
    mood = np.where(wave.resolved, 4.62, 3.35)
    mood -= 0.16 * np.log1p(np.nan_to_num(wave.wait, nan=20.0) / 30)
    mood -= 0.22 * wave.depth
    mood -= 0.2 * wave.tries
    mood += extracts.staff.pleases[wave.advisor] - 0.25 * (wave.transfers > 0)
    mood -= np.where(wave.reason == BILLING, 0.45, 0.06) * trouble
    return mood + chance.normal(0, 0.85, len(rows))


def _where(values: np.ndarray, known: np.ndarray) -> pa.Array:
    return number(np.where(known, values, np.nan))
