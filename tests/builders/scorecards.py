"""A small scorecard, as a table and published."""

from __future__ import annotations

import copy
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.quality import scorecards

SYSTEM = Viewer.SYSTEM


SMALL = {
    "title": "Service",
    "pass_mark": 80,
    "section": [
        {
            "name": "Welcome",
            "weight": 40,
            "criterion": [
                {
                    "key": "greets",
                    "text": {"fr": "Salue", "en": "Greets"},
                    "points": 2,
                    "levels": [0, 1, 2],
                }
            ],
        },
        {
            "name": "Answer",
            "weight": 60,
            "criterion": [
                {"key": "right", "points": 4, "critical": "customer"},
                {"key": "more", "points": 1, "bonus": True},
            ],
        },
    ],
}


def changed(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **more}


def publish(content: dict[str, Any] = SMALL, key: str = "service") -> int:
    """Returns the id of the version."""
    draft = scorecards.create_draft(SYSTEM, key, content)
    scorecards.publish(SYSTEM, draft, 1)
    return draft
