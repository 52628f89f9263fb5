"""Data kept too long in a centre's stores, counted by hand: plain SQL, Parquet and the
names of files, with the periods of docs/compliance.md, section 3 written out again.
"""

from __future__ import annotations

import calendar
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

PARIS = ZoneInfo("Europe/Paris")
ROWS = {
    "recordings": (6, "SELECT local_day FROM recording WHERE file_name IS NOT NULL"),
    "evaluations": (12, "SELECT evaluated_at FROM evaluation WHERE calibration_id IS NULL"),
    "calibrations": (12, "SELECT opened_at FROM calibration"),
    "coaching": (12, "SELECT opened_at FROM coaching_plan"),
    "draws": (12, "SELECT drawn_at FROM draw"),
    "playbacks": (12, "SELECT played_at FROM playback"),
    "deleted_recordings": (12, "SELECT deleted_at FROM recording WHERE deleted_at IS NOT NULL"),
    "journal": (12, "SELECT at FROM journal"),
    "account_requests": (12, "SELECT asked_at FROM account_request"),
    "sign_in_failures": (30, "SELECT last_failure_at FROM sign_in_throttle"),
    "closed_accounts": (12, "SELECT closed_at FROM account WHERE closed_at IS NOT NULL"),
    "notes": (36, "SELECT ends_on FROM annotation UNION ALL SELECT opened_at FROM irritant"),
    "requests": (36, "SELECT answered_on FROM subject_request WHERE answered_on IS NOT NULL"),
    "certificates": (36, "SELECT finished_at FROM purge WHERE finished_at IS NOT NULL"),
    "waiting_rows": (
        30,
        "SELECT b.started_at FROM waiting_row w JOIN import_batch b ON b.id = w.batch_id",
    ),
    "before_images": (
        90,
        "SELECT b.started_at FROM before_image i JOIN import_batch b ON b.id = i.batch_id",
    ),
}
"""Kind → months (days for 30 and 90), and the moments or days of what is there."""
MENTIONS = (
    "SELECT advisor_id, evaluated_at FROM evaluation",
    "SELECT advisor_id, opened_at FROM coaching_plan",
    "SELECT advisor_id, played_at FROM playback",
    "SELECT advisor_id, coalesce(deleted_at, '9998-01-01') FROM recording",
    "SELECT c.advisor_id, d.drawn_at FROM drawn_contact c JOIN draw d ON d.id = c.draw_id",
)
"""What names an advisor for twelve months; contacts do for thirteen."""
PEOPLE = ("customer_key", "given_customer_key", "advisor_id", "given_advisor_id")


def count_overdue(home: Path, today: date) -> dict[str, int]:
    """Count what must be gone on that day, by kind; kinds without any are left out."""
    days: dict[str, list[tuple[int, date]]] = {}
    with closing(sqlite3.connect(home / "records.sqlite")) as connection:
        for kind, (period, statement) in ROWS.items():
            moments = connection.execute(statement).fetchall()
            days[kind] = [(period, _read_day(moment)) for (moment,) in moments]
    for name, kind in (("quarantine", "quarantine"), ("tmp", "temporary_files")):
        files = [path for path in (home / name).rglob("*") if path.is_file()]
        days[kind] = [(30, _read_mtime(path)) for path in files]
    for row in _read_contacts(home, _find_current_files(home)):
        if any(row.get(name) for name in PEOPLE):
            days.setdefault("contacts", []).append((13, row["local_start"].date()))
        if row.get("survey_comment"):
            days.setdefault("survey_comments", []).append((12, row["local_start"].date()))
    days["leavers"] = [(13, day) for day in _find_unnamed(home, today)]
    counts = {
        kind: sum(_is_over(period, day, today) for period, day in found)
        for kind, found in days.items()
    }
    return {kind: count for kind, count in counts.items() if count}


def _find_unnamed(home: Path, today: date) -> list[date]:
    """The days on which advisors came whom nothing names that may still be kept."""
    with closing(sqlite3.connect(home / "records.sqlite")) as connection:
        named = {
            advisor_id
            for statement in MENTIONS
            for advisor_id, moment in connection.execute(statement)
            if not _is_over(12, _read_day(moment), today)
        }
        advisors = connection.execute("SELECT advisor_id, created_at FROM advisor").fetchall()
    for row in _read_contacts(home, _find_current_files(home)):
        if not _is_over(13, row["local_start"], today):
            named |= {row.get(name) for name in PEOPLE}
    return [_read_day(moment) for advisor_id, moment in advisors if advisor_id not in named]


def count_outside(home: Path, today: date) -> int:
    """Count overdue contents beside the stores' present state: earlier versions of the lake,
    before-images, and audio that no row names.
    """
    others = set((home / "lake").rglob("*.parquet")) - set(_find_current_files(home))
    old = [
        row
        for row in _read_contacts(home, others)
        if row.get("local_start")
        and (
            (any(row.get(name) for name in PEOPLE) and _is_over(13, row["local_start"], today))
            or (row.get("survey_comment") and _is_over(12, row["local_start"], today))
        )
    ]
    with closing(sqlite3.connect(home / "records.sqlite")) as connection:
        named = {name for (name,) in connection.execute("SELECT file_name FROM recording")}
    audio = {
        path.relative_to(home / "recordings").as_posix()
        for path in (home / "recordings").rglob("*")
        if path.is_file()
    }
    return len(old) + len(audio - named)


def _find_current_files(home: Path) -> list[Path]:
    """Replay the log of the contacts: what was added and not removed."""
    folder, live = home / "lake" / "contacts", {}
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for line in entry.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = None
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [folder / path.replace("%3D", "=") for path in live]


def _read_contacts(home: Path, paths):
    for path in paths:
        with pq.ParquetFile(path) as file:
            wanted = [*PEOPLE, "survey_comment", "local_start"]
            yield from file.read([n for n in wanted if n in file.schema_arrow.names]).to_pylist()


def _read_day(moment: str) -> date:
    if len(moment) == 10:
        return date.fromisoformat(moment)
    read = datetime.fromisoformat(moment)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(PARIS).date()


def _read_mtime(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, PARIS).date()


def _is_over(period: int, day: date | datetime, today: date) -> bool:
    if isinstance(day, datetime):
        day = day.date()
    if period in (30, 90):
        return today > day + timedelta(days=period)
    place = day.year * 12 + day.month - 1 + period
    year, month = place // 12, place % 12 + 1
    last = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
    return today > last
