"""The records' schema: made whole, brought up to date from its first revision, and
refused with a way out otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage.records import store
from qa_core.storage.records.base import Base


def set_revision(revision: str) -> None:
    with store.writing() as session:
        session.execute(
            sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )


def test_new_records_have_the_schema_that_the_models_declare(centre: Path) -> None:
    with store.engine_for(environment.current().database_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.owner
def test_records_at_the_first_revision_are_brought_up_to_date(centre: Path) -> None:
    set_revision(store.FIRST_REVISION)

    store.migrate()

    assert store.is_ready()


@pytest.mark.owner
@pytest.mark.parametrize(
    ("revision", "code", "way_out"),
    [
        ("0008", "too_old_records", "import your files again"),
        ("9999", "newer_records", "Update the program"),
    ],
)
def test_records_that_nothing_brings_up_to_date_are_refused_with_a_way_out(
    centre: Path, revision: str, code: str, way_out: str
) -> None:
    set_revision(revision)

    with pytest.raises(Refusal, match=re.escape(way_out)) as refusal:
        store.migrate()

    assert refusal.value.code == code
    assert not store.is_ready()
