"""Base of all tables of the records: UTC moments, names of constraints."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedColumn,
    RelationshipProperty,
    declared_attr,
    mapped_column,
    relationship,
)

from qa_core.base import environment
from qa_core.storage.facts.personal_data import Stored

ADVISOR = "advisor.advisor_id"


class UtcDateTime(sa.types.TypeDecorator):
    """Moment: aware UTC in Python, on every database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        if dialect.name == "sqlite":
            return value.astimezone(UTC).replace(tzinfo=None)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    """Return the present moment, in UTC."""
    return environment.now()


def reference(
    target: str, ondelete: str | None = None, onupdate: str | None = None, **column: Any
) -> MappedColumn[Any]:
    """Build a column that refers to another, with what a deletion and a new key of that do."""
    return mapped_column(sa.ForeignKey(target, ondelete=ondelete, onupdate=onupdate), **column)


def of_advisor(ondelete: str | None = "CASCADE") -> MappedColumn[Any]:
    """Build a column with the id of an advisor, which follows merges."""
    return reference(ADVISOR, ondelete, onupdate="CASCADE", index=True)


def parts(owner: str, **options: Any) -> RelationshipProperty[Any]:
    """Build the list of the rows that go with this one, whom they know as `owner`."""
    return relationship(back_populates=owner, cascade="all, delete-orphan", **options)


class Base(DeclarativeBase):
    """Base of a table; `holds` says what its rows are (`storage.facts.personal_data`)."""

    __data__: ClassVar[Stored]

    def __init_subclass__(cls, holds: Stored | None = None, **options: Any) -> None:
        if holds is None and "__abstract__" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} does not say what it holds")
        cls.__data__ = holds
        super().__init_subclass__(**options)

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime(),
        dict[str, Any]: sa.JSON(),
        list[Any]: sa.JSON(),
        str: sa.Text(),
    }

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str:
        """Name the table after its class: `draw` for `Draw`, `drawn_contact` for
        `DrawnContact`.
        """
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Numbered(Base):
    """Base of the tables whose rows are known by a number."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
