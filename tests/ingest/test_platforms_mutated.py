"""Exports of platforms, damaged in every way: they are read, or refused with a reason;
no row is lost, and nothing crashes.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import test_platforms_amazon_connect as amazon_connect
import test_platforms_asterisk_cdr as asterisk_cdr
import test_platforms_asterisk_queue_log as asterisk_queue_log
import test_platforms_cisco as cisco
import test_platforms_freeswitch as freeswitch
import test_platforms_json_exports as json_exports
import test_profiles as tables
from builders.long_seeds import count_seeds
from builders.platform_files import stage

from qa_core.base.errors import Refusal

T = cisco.T
EXPORTS = {
    "queue_log": asterisk_queue_log.DAY,
    "asterisk_cdr": "\n".join((asterisk_cdr.ANSWERED, asterisk_cdr.MISSED, asterisk_cdr.QUEUED)),
    "amazon_connect": json.dumps(amazon_connect.CHAIN),
    "genesys_cloud": json.dumps(
        {"conversations": [json_exports.conversation("a"), json_exports.conversation("b", None)]}
    ),
    "callrail": json.dumps(json_exports.CALLRAIL),
    "cisco_cucm": cisco.HEADER
    + f'1,1,500,{T},"0612345678",0,"0187654321","4001",16,{T + 12},{T + 72},60,"4000"\n' * 3,
    "freeswitch": freeswitch.line(
        "0612345678",
        "101",
        "2026-01-05 10:00:00",
        "",
        "2026-01-05 10:00:30",
        30,
        0,
        "NO_ANSWER",
        freeswitch.A,
    )
    * 3,
    "3cx": tables.LOG,
    "google_ads_calls": tables.ADS,
}
JUNK = [
    "",
    "\n",
    ",",
    '"',
    "|",
    "NULL",
    "-1",
    "1e400",
    "9" * 30,
    "nan",
    "\0",
    "2026-02-30T25:61:61Z",
    "null",
    "{}",
    "[]",
    "true",
    "é",
    "\r",
    "-0",
    '[{"a": 1}]',
]


def mutate(text: str, chance: random.Random) -> str:
    """One to four damages: something cut out, put in, or put in the place of a word."""
    for _number in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        words = [found.span() for found in re.finditer(r"[^,|\n:{}\[\] ;]+", text)]
        start, end = chance.choice(words) if words else (at, at)
        way = chance.randrange(4)
        if way == 0:
            text = text[:at] + text[at + chance.randint(1, 20) :]
        elif way == 1:
            text = text[:at] + chance.choice(JUNK) + text[at:]
        elif way == 2:
            text = text[:start] + chance.choice(JUNK) + text[end:]
        else:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("mutations", [5, pytest.param(count_seeds(100), marks=pytest.mark.long)])
@pytest.mark.parametrize("name", EXPORTS)
def test_damaged_exports_are_read_or_refused(centre: Path, name: str, mutations: int) -> None:
    chance = random.Random(name)
    for _number in range(mutations):
        damaged = mutate(EXPORTS[name], chance)
        try:
            staged, _rows = stage(centre, name, damaged.encode("utf-8"))
        except Refusal as refusal:
            assert str(refusal)
        else:
            assert (
                min((*staged.tally.folded_kinds.values(), *staged.tally.skipped_kinds.values(), 0))
                == 0
            )
            assert all(item.as_json() for item in staged.decisions)
