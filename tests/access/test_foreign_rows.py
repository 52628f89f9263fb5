"""Whatever a team lead, an advisor or an evaluator may ask without saying more: no answer
names an advisor who is not theirs.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from builders.public_functions import find_public_functions

from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor

WRITES = {"add_suggested", "purge", "delete_expired", "remove", "remove_demo_accounts", "build"}
"""Change something: not asked here."""


def find_questions() -> Iterator[tuple[str, Any]]:
    """Every public function that a viewer alone is enough for."""
    for module, function in find_public_functions():
        names = [one.arg for one in function.args.args]
        if (
            not module.startswith("cli.")
            and names[:1] == ["viewer"]
            and len(names) - len(function.args.defaults) == 1
            and function.name not in WRITES
        ):
            loaded = importlib.import_module(f"qa_core.{module}")
            yield f"{module}.{function.name}", getattr(loaded, function.name)


def describe(answer: Any) -> str:
    """All that an answer says, as text."""
    if isinstance(answer, pd.DataFrame):
        return answer.to_csv()
    if inspect.isgenerator(answer):
        return " ".join(map(describe, answer))
    if isinstance(answer, (list, tuple, set, frozenset)):
        return " ".join(map(describe, answer))
    if isinstance(answer, dict):
        return " ".join(f"{describe(key)} {describe(value)}" for key, value in answer.items())
    return repr(answer)


@pytest.fixture
def demo_centre(centre: Path) -> Path:
    demo.build(Viewer.SYSTEM, plan=demo.DemoPlan.until_yesterday(4, 12, 4_000))
    return centre


def test_no_answer_names_an_advisor_of_somebody_else(demo_centre: Path) -> None:
    with store.reading() as session:
        advisors = {row.advisor_id: row.name for row in session.scalars(sa.select(Advisor))}
        viewers = [
            accounts.get_viewer(session, entry["username"])
            for entry in demo.sign_ins()
            if entry["role"] in (Role.TEAM_LEAD, Role.ADVISOR, Role.EVALUATOR)
        ]
    named, answers = [], 0
    for viewer in viewers:
        own = find_own(viewer)
        for name, function in find_questions():
            try:
                answer = describe(function(viewer))
            except (AccessDenied, Misuse, Refusal):
                continue
            answers += 1
            named += [
                f"{name} as {viewer.role}: {advisor}"
                for key, advisor in advisors.items()
                if key not in own and (advisor in answer or f"'{key}'" in answer)
            ]
    assert named == []
    assert answers > 100


def find_own(viewer: Viewer) -> set[str]:
    if viewer.role == Role.ADVISOR:
        return {viewer.advisor_id}
    if viewer.role == Role.TEAM_LEAD:
        return {item.advisor_id for item in query.find_advisors(viewer)}
    return set()
