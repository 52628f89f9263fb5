"""Demo centres that tests share, each built once for all processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.storage.records import store

PLAN = demo.DemoPlan(last_day=date(2026, 11, 22), months=3, advisors=18, contacts=2_000)
RECENT = demo.DemoPlan.until_yesterday(3, 12, 2_000)
"""Its recordings are due for deletion on no day of the tests."""


def fill(folder: Path, build_once: Callable[..., Any], plan: demo.DemoPlan = PLAN) -> None:
    """Fill the folder in `QA_HOME` with the demo centre of that plan, `build_once` being the
    fixture.
    """

    def build() -> None:
        store.migrate()
        demo.build(Viewer.SYSTEM, plan=plan)

    build_once(f"demo-{plan.last_day}-{plan.months}", folder, build)
