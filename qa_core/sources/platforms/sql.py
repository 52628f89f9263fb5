"""Any SQL database through SQLAlchemy: one SELECT of a span, counted in the same snapshot."""

import importlib
import ipaddress
import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.sources.protocol.declaration import (
    COUNT,
    Page,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
)
from qa_core.storage.records import row_rules

PAGE_ROWS = 5000
CONNECT_SECONDS = 30
SILENT_SECONDS = 900
"""Seconds without a word after which a server is given up, or it would hold up every source."""
DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
_SELECT = re.compile(r"\s*(?:--[^\n]*\n\s*)*(?:SELECT|WITH)\b[^;]*;?\s*", re.IGNORECASE)
OPTIONS = re.compile(r"host|port|unix_socket|charset|ssl\w*")
"""Options of an address; others could lead to another host, or run statements."""
_COMMENT = re.compile(r"--[^\n]*")


def check(address: str, statement: str | None) -> str:
    """Raise Refusal for an address of no database that can be read, or with a password, which
    would be in a list; and for what is not one SELECT with the bounds of a span.
    """
    try:
        url = sa.make_url(address)
        dialect = url.get_backend_name()
        importlib.import_module(url.get_dialect().import_dbapi().__name__)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError):
        dialect = None
    is_readable = dialect in DIALECTS and url.password is None
    if not is_readable or not all(map(OPTIONS.fullmatch, url.query)):
        raise Refusal(
            "bad_database",
            "Write the address as dialect+driver://user@host/database, without the password, and "
            "install its driver. Dialects: {known}.",
            known=", ".join(DIALECTS),
        )
    code = _COMMENT.sub("", statement or "")
    is_bounded = any({f":since{clock}", f":until{clock}"} <= _find_names(code) for clock in _CLOCKS)
    if not (_SELECT.fullmatch(code) and is_bounded):
        raise Refusal(
            "bad_statement",
            "Write one SELECT with :since and :until, or with :since_epoch and :until_epoch.",
        )
    return address


_CLOCKS = ("", "_epoch")


def _find_names(statement: str) -> set[str]:
    return set(re.findall(r"(?<![:\w]):[a-z_]+\b", statement))


def read(access: SourceAccess, span: Span) -> Iterator[Page]:
    """Read the rows of a span as texts, and count them in the same transaction, which may not
    write.
    """
    url = _require_allowed(sa.make_url(access.address), access.secret)
    engine = sa.create_engine(
        url,
        poolclass=sa.NullPool,
        connect_args=_find_arguments(url),
        execution_options={row_rules.OPTION: row_rules.PERSONAL},  # no tables of ours
    )
    statement = (access.statement or "").strip().removesuffix(";")
    parameters = _build_bounds(statement, span, access.timezone)
    connection = None
    try:
        with engine.connect() as connection:
            _begin(connection)
            counted = f"SELECT count(*) FROM ({statement}\n) AS counted"
            total = connection.execute(sa.text(counted), parameters).scalar_one()
            streamed = connection.execution_options(stream_results=True)
            rows = streamed.execute(sa.text(statement), parameters)
            names = list(rows.keys())
            yield Page((), total)
            for block in rows.partitions(PAGE_ROWS):
                yield Page([dict(zip(names, map(_as_text, row), strict=True)) for row in block])
            connection.rollback()
    except sa.exc.SQLAlchemyError as error:  # the message of a driver may quote the password
        is_lost = connection is None or getattr(error, "connection_invalidated", False)
        raise SourceFailed("unreachable" if is_lost else "changed") from None
    finally:
        engine.dispose()


def _require_allowed(url: sa.URL, secret: str | None) -> sa.URL:
    """Return the address with its password. Raises SourceFailed for a host that the operator
    does not allow.
    """
    host = _find_host(url)
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        if not path.is_file():
            raise SourceFailed("unreachable")
        return sa.URL.create("sqlite", database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    if not isinstance(host, str) or host.casefold() not in environment.find_outside_hosts():
        raise SourceFailed("not_allowed")
    return url.set(password=secret)


def _find_host(url: sa.URL) -> object:
    """Find the host or the socket that the driver will connect to."""
    return url.query.get("unix_socket") or url.query.get("host") or url.host


def _find_arguments(url: sa.URL) -> dict[str, Any]:
    """Find the arguments of the driver: a time limit, and TLS that verifies the server unless
    it is on this machine or the address says otherwise (`sslmode`, `ssl_…`).
    """
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        return {}
    found: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if dialect != "postgresql":
        found |= dict.fromkeys(("read_timeout", "write_timeout"), SILENT_SECONDS)
    if _is_here(url) or any(name.startswith("ssl") for name in url.query):
        return found
    if dialect == "postgresql":
        return found | {"sslmode": "verify-full", "sslrootcert": "system"}
    return found | {"ssl": {"check_hostname": True}}


def _is_here(url: sa.URL) -> bool:
    host = _find_host(url)
    if str(host).startswith("/"):
        return True
    try:
        return all(
            ipaddress.ip_address(entry[4][0]).is_loopback
            for entry in socket.getaddrinfo(host, None)
        )
    except OSError:
        return False


def _begin(connection: sa.Connection) -> None:
    """Begin one snapshot for the count and the rows, which nothing can be written in."""
    match connection.dialect.name:
        case "sqlite":
            connection.exec_driver_sql("BEGIN")
        case "postgresql":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        case _:
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _build_bounds(statement: str, span: Span, timezone: str) -> dict[str, Any]:
    """Build the bounds that the statement names: on the clock of the source, or as seconds."""
    zone = ZoneInfo(timezone)
    bounds: dict[str, Any] = {}
    for name, moment in (("since", span.since), ("until", span.until)):
        bounds[name] = f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        bounds[f"{name}_epoch"] = int(moment.timestamp())
    named = _find_names(statement)
    return {name: value for name, value in bounds.items() if f":{name}" in named}


def _as_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(" ")
        case timedelta():
            return str(value.total_seconds())
        case bytes():
            return value.decode("utf-8", "replace")
    return str(value)


PLATFORM = SourcePlatform(
    title="SQL",
    basis=COUNT,
    settle=timedelta(days=1),
    read=read,
    asks=("address", "statement"),
    check=check,
)
