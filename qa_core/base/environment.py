"""Environment of this centre: folder, stores, time zone and secrets."""

import fcntl
import functools
import hashlib
import hmac
import ipaddress
import os
import resource
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qa_core.base.errors import Misuse, Refusal, build_malformed, build_unopened

PROJECT = Path(__file__).resolve().parents[2]
SECRETS = ("cookie", "pseudonyms", "recordings", "journal", "backup")
SECRET_BYTES = 32
REPLACED_AT = "%Y%m%dT%H%M%S%f"
"""Format of the moment, in UTC, in the name of a key that was replaced."""
VARIABLES = (
    "QA_HOME",
    "QA_TIMEZONE",
    "QA_DATABASE_URL",
    "QA_LAKE_URL",
    "QA_ENGINE_URL",
    "QA_COUNTRY",
    "QA_LANGUAGE",
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


DUCKDB = "duckdb://"
"""URL of the engine in this process."""


@dataclass(frozen=True)
class Environment:
    """Settings from the environment (docs/contract.md, section 2)."""

    folder: Path
    database_url: str
    lake_url: str
    engine_url: str
    timezone: str
    country: str
    language: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def has_cluster(self) -> bool:
        """Return whether a cluster counts the facts."""
        return self.engine_url != DUCKDB

    @property
    def secrets_folder(self) -> Path:
        return self.folder / "secrets"

    @property
    def temporary_folder(self) -> Path:
        """Scratch space of imports: no clear number or name; emptied by its user."""
        return self.folder / "tmp"


_override: ContextVar[Environment | None] = ContextVar("stand_in", default=None)


@contextmanager
def use_environment(home: Environment) -> Iterator[None]:
    """Make this thread work in another home, such as a copy for a trial."""
    token = _override.set(home)
    try:
        yield
    finally:
        _override.reset(token)


def current() -> Environment:
    """Read the environment. Raises Refusal for an unknown time zone."""
    stand_in = _override.get()
    if stand_in is not None:
        return stand_in
    return _build(*map(os.environ.get, VARIABLES))


@functools.lru_cache(maxsize=8)
def _build(*values: str | None) -> Environment:
    """Build the environment from the values of `VARIABLES`, in their order. Raises Misuse
    for a lake that is not a local folder (docs/decisions/object-store.md).
    """
    home, timezone, database_url, lake_url, engine_url, country, language = values
    folder = Path(home or PROJECT / "data").expanduser().resolve()
    timezone = timezone or "Europe/Paris"
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise build_malformed(
            "unknown_timezone", f"QA_TIMEZONE={timezone}", "QA_TIMEZONE=Europe/Paris", kind=Refusal
        ) from error
    lake_url = (lake_url or str(folder / "lake")).removeprefix("file://")
    if "://" in lake_url:
        raise Misuse(
            "lake_not_local",
            "QA_LAKE_URL is {url}, but the lake must be a folder on this machine. Object "
            "stores are not supported. Give a path.",
            url=f"{lake_url.partition('://')[0]}://…",  # it may hold a password
        )
    return Environment(
        folder=folder,
        database_url=database_url or f"sqlite:///{folder / 'records.sqlite'}",
        lake_url=lake_url,
        engine_url=engine_url or DUCKDB,
        timezone=timezone,
        country=(country or "FR").upper(),
        language=language or "en",
    )


def now() -> datetime:
    """Return the present moment in UTC, moved where a drill sets `QA_CLOCK`. Raises
    Refusal for a store that was not made with it.
    """
    clock = os.environ.get("QA_CLOCK")
    if not clock:
        return datetime.now(UTC)
    here = current()
    if not find_drill_file(here).exists():
        raise Refusal(
            "clock_refused",
            "QA_CLOCK is set, but the stores in {folder} were made without it. A moved clock "
            "would delete real data. Unset QA_CLOCK, or make new stores.",
            ("unset QA_CLOCK", "QA_HOME=FOLDER python -m qa_core init"),
            folder=str(here.folder),
        )
    shift = _read_shift(clock, here.timezone)  # first, or the first moment is before the one named
    return datetime.now(UTC) + shift


def mark_drill() -> None:
    """Note that the stores about to be made may be used with a moved clock, where
    `QA_CLOCK` is set.
    """
    if os.environ.get("QA_CLOCK"):
        write_private(find_drill_file(), b"")


def find_drill_file(home: Environment | None = None) -> Path:
    """Locate the mark of stores that may be used with a moved clock."""
    return (home or current()).folder / "drill_clock"


@functools.cache
def _read_shift(text: str, timezone: str) -> timedelta:
    # Kept, so that the clock goes on from the moment named.
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise build_malformed(
            "bad_clock", f"QA_CLOCK={text}", "QA_CLOCK=2027-06-30T09:00", kind=Refusal
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment - datetime.now(UTC)


def find_proxies() -> tuple[Network, ...]:
    """Read QA_PROXIES: addresses and networks whose word on the visitor's address counts.
    Raises Refusal for what is neither.
    """
    return _read_networks("QA_PROXIES", "")


def find_metrics_readers() -> tuple[Network, ...]:
    """Read QA_METRICS_ADDRESSES: who may ask for `/metrics`; default: this machine. Raises
    Refusal for what is no address or network.
    """
    return _read_networks("QA_METRICS_ADDRESSES", "127.0.0.0/8, ::1")


def _read_networks(variable: str, default: str) -> tuple[Network, ...]:
    text = os.environ.get(variable, default)
    try:
        names = map(str.strip, text.split(","))
        return tuple(ipaddress.ip_network(name, strict=False) for name in names if name)
    except ValueError as error:
        raise Refusal(
            "bad_addresses",
            "{variable} is {value}. Write IP addresses or networks, separated by commas.",
            variable=variable,
            value=text,
        ) from error


@dataclass(frozen=True)
class MailServer:
    """Mail server that sends: `is_tls` from the first byte, else STARTTLS."""

    host: str
    port: int
    is_tls: bool
    username: str
    sender: str
    public_url: str

    @property
    def is_local(self) -> bool:
        """Return whether nothing leaves this machine on the way to it."""
        return self.host in ("localhost", "127.0.0.1", "::1")


def find_mail_server() -> MailServer | None:
    """Read QA_SMTP_URL, QA_MAIL_FROM and QA_PUBLIC_URL; None without the first. Raises Refusal
    for a bad value, which is not quoted: people write passwords into addresses.
    """
    url = os.environ.get("QA_SMTP_URL")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("smtp", "smtps") and parts.hostname and not parts.password
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
    except ValueError:
        is_known = False
    sender, public_url = os.environ.get("QA_MAIL_FROM", ""), find_public_url()
    if not (is_known and "@" in sender and public_url.startswith(("https://", "http://"))):
        raise Refusal(
            "bad_mail_server",
            "Mail is not set up. Write QA_SMTP_URL as smtp://user@host:587 or smtps://user@host, "
            "without the password, an address in QA_MAIL_FROM, and the address of Écoute in "
            "QA_PUBLIC_URL.",
        )
    return MailServer(
        parts.hostname, port, parts.scheme == "smtps", unquote(parts.username or ""), sender,
        public_url,
    )  # fmt: skip


def find_public_url() -> str:
    """Read QA_PUBLIC_URL: the address of Écoute in links; empty without it."""
    return os.environ.get("QA_PUBLIC_URL", "").rstrip("/")


def find_mail_password() -> str | None:
    """Read the password of the mail server: QA_SECRET_SMTP, else the file `smtp` of the
    secrets, as text; None without either.
    """
    path = current().secrets_folder / "smtp"
    if not (text := os.environ.get("QA_SECRET_SMTP")) and path.exists():
        text = read_private(path).decode("utf-8")
    return text.strip() if text else None


def find_outside_hosts() -> frozenset[str]:
    """Read QA_OUTSIDE_HOSTS: names of hosts that webhooks may reach, separated by commas."""
    names = os.environ.get("QA_OUTSIDE_HOSTS", "").split(",")
    return frozenset(name.strip().casefold() for name in names if name.strip())


def find_engine_seconds() -> int:
    """Read QA_ENGINE_SECONDS: how long a cluster may take over a question. Raises Refusal for
    what is no number of seconds.
    """
    text = os.environ.get("QA_ENGINE_SECONDS") or "300"
    if not text.isdecimal() or not int(text):
        raise build_malformed(
            "bad_engine_seconds", f"QA_ENGINE_SECONDS={text}", "QA_ENGINE_SECONDS=300", kind=Refusal
        )
    return int(text)


def find_engine_lake() -> str | None:
    """Read QA_ENGINE_LAKE_URL: the lake as the cluster finds it; None where the path of this
    machine leads there too.
    """
    return (os.environ.get("QA_ENGINE_LAKE_URL") or "").rstrip("/") or None


def today() -> date:
    """Return the present day on the centre's wall clock."""
    return now().astimezone(current().zone).date()


def to_local(moment: datetime) -> datetime:
    """Convert a moment to the centre's wall clock."""
    return moment.astimezone(current().zone)


def secret(name: str, home: Environment | None = None) -> bytes:
    """Return the key of that name: from `QA_SECRET_<NAME>` (hex), else from its file,
    made at first use with mode 0600.

    Raises Refusal when the key is short or its file can be read by others.
    """
    if name not in SECRETS:
        raise KeyError(name)
    text = os.environ.get(f"QA_SECRET_{name.upper()}")
    if text:
        return _check_length(name, _parse_secret(name, text))
    path = (home or current()).secrets_folder / name
    if not path.exists():
        write_private(path, secrets.token_bytes(SECRET_BYTES))
    return _check_length(name, read_private(path))


def find_keys(name: str, home: Environment | None = None) -> list[bytes]:
    """Return every key of that name: the one that writes, then those that only read, the
    last replaced first. They come from `QA_SECRET_<NAME>_OLD` and from files.
    """
    texts = os.environ.get(f"QA_SECRET_{name.upper()}_OLD", "").split(",")
    keys = [secret(name, home), *(_parse_secret(name, text) for text in texts if text.strip())]
    for path in find_old_files(name, home):
        with suppress(FileNotFoundError):  # one that another process has just destroyed
            keys.append(read_private(path))
    return [_check_length(name, key) for key in dict.fromkeys(keys)]


def find_old_files(name: str, home: Environment | None = None) -> list[Path]:
    """List the files of keys that were replaced, the last one first: `<name>.<moment>`."""
    return sorted((home or current()).secrets_folder.glob(f"{name}.[0-9]*"), reverse=True)


def compute_key_id(key: bytes) -> str:
    """Compute the digest by which people distinguish keys."""
    return hmac.new(key, b"backup", hashlib.sha256).hexdigest()[:16]


def replace_secret(name: str) -> None:
    """Put a new key in the place of the one that writes, which from then on only reads.
    Every process takes the new one at its next use. The caller holds the lock of writers.
    """
    path = current().secrets_folder / name
    old = path.with_name(f"{name}.{now():{REPLACED_AT}}")
    write_private(old, secret(name))  # first, so that a stop in between loses neither
    write_private(path, secrets.token_bytes(SECRET_BYTES), overwrite=True)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse_secret(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError as error:
        raise Refusal(
            "bad_secret", "The secret {name} in the environment must be hexadecimal.", name=name
        ) from error


def _check_length(name: str, key: bytes) -> bytes:
    if len(key) < SECRET_BYTES:
        raise Refusal(
            "short_secret",
            "The secret {name} is shorter than {bytes} bytes. Put back the copy that you keep "
            "in a safe place.",
            name=name,
            bytes=SECRET_BYTES,
        )
    return key


def has_secret(name: str, home: Environment | None = None) -> bool:
    """Return whether that key exists, so that reading it would write nothing."""
    return (
        bool(os.environ.get(f"QA_SECRET_{name.upper()}"))
        or ((home or current()).secrets_folder / name).exists()
    )


def keep_to_owner() -> None:
    """Let nobody but its owner read what this process writes; when it crashes, it leaves no
    copy of its memory.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def name_process(number: int | None = None) -> str:
    """Name a process, by default this one, by its number and its start: after a restart of a
    container its number is another's. Where the system does not say the start: by its number.
    """
    return _name_own(os.getpid()) if number is None else _name_by_start(number)


def _name_by_start(number: int) -> str:
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return str(number)
    return f"{number}.{status.rpartition(')')[2].split()[19]}"


_name_own = functools.cache(_name_by_start)


def write_private(path: Path, content: bytes, overwrite: bool = False) -> bool:
    """Create `path` with mode 0600, atomically; False when it exists, unless it is
    overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(draft, path)
        else:
            os.link(draft, path)
        sync(path.parent)
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def lock(path: Path, waits: bool = True) -> Iterator[bool]:
    """Hold a lock file for the block; it is freed when its holder dies. Where another process
    has it, it waits, or yields False.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def read_private(path: Path) -> bytes:
    """Read a secret file. Raises Refusal where we cannot read it, or others than its owner can."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refusal(
            "open_secret",
            "Other users of this machine can read {path}. Let only its owner read it (mode 600).",
            (f"chmod 600 {path}",),
            path=str(path),
        )
    try:
        return path.read_bytes()
    except PermissionError as error:
        chown = f"chown --reference={path.parent} {path}"
        raise build_unopened(path, error, "unreadable_file", chown) from error
