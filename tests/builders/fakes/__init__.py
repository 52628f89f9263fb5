"""Fake of each platform that is pulled, a file of its name each."""

from __future__ import annotations

import importlib
import random
from datetime import timedelta

from builders.source_servers import Call, Fake, FakePlatform
from qa_core.sources.platforms import NAMES
from qa_core.sources.protocol.declaration import Span

FAKES: dict[str, type[Fake]] = {
    name: importlib.import_module(f"builders.fakes.{name}").Fake for name in NAMES
}
PLATFORMS = {
    name: importlib.import_module(f"qa_core.sources.platforms.{name}")
    for name, fake in FAKES.items()
    if issubclass(fake, FakePlatform)
}
"""The modules of the platforms that have an API."""


def make_calls(
    platform: str, draw: random.Random, span: Span, count: int, first: int = 1
) -> dict[str, Call]:
    """Make calls of a span: some in one second, one at each edge of it."""
    seconds = int((span.until - span.since).total_seconds())
    offsets = [0, seconds - 1] + [draw.randrange(seconds) for _ in range(count)]
    if count > 12 and draw.random() < 0.3:
        offsets[2:12] = [offsets[2]] * 10
    calls = [
        Call(
            FAKES[platform].name_call(first + n),
            span.since + timedelta(seconds=offset),
            draw.choice((None, draw.randrange(30, 400))),
            f"+336{draw.randrange(10**7, 10**8)}",
            f"Person {100 + n % max(60, count // 12)}",
        )
        for n, offset in enumerate(offsets[:count])
    ]
    return {call.id: call for call in calls}
