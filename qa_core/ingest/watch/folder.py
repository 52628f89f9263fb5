"""Watch of a folder: files are imported once they are complete, and logs as they grow.
A file leaves the folder only when its import is done, and an import recognises by its
content what it has seen: a stop at any moment costs a second look at most. The folder
is polled, since the system's notices do not tell what another machine writes to a
network folder, and a complete file must be seen twice anyway.
"""

import hashlib
import json
import os
import re
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Misuse, Refusal, build_unlisted, build_unopened
from qa_core.base.progress import Stop
from qa_core.centre import settings
from qa_core.files.archives import move, open_file, open_parent, refuse_special, stay_inside
from qa_core.files.options import KINDS, ImportOptions
from qa_core.ingest import pipeline
from qa_core.ingest.load import layouts
from qa_core.ingest.reading import table_reader
from qa_core.ingest.reading.registry import find_kind
from qa_core.ingest.reading.report import UNCONFIRMED, FileReport
from qa_core.ingest.watch.queue_log import LOG_NAME, Follower
from qa_core.storage import system_errors
from qa_core.storage.records import store
from qa_core.storage.records.imports import SavedMapping

TAKEN_FOLDER, REFUSED_FOLDER = ".taken", ".refused"
OPTIONS_FILE = "import.toml"
MAX_INSTRUCTIONS = 1 << 20
"""Bytes that are read of a file of options."""
UNFINISHED = (
    ".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~",
)  # fmt: skip
"""Endings of files that are still written; they count under their final name."""

FIRST_WAIT, MAX_WAIT = 5.0, 300.0
MAX_TRIES = 3
"""Number of unexpected failures after which a file is set aside."""
LOG_SECONDS = 60.0
REST_FACTOR = 10
"""After a log was loaded, it rests for at least so many times the duration of that."""
GROWTH_SECONDS = 3600.0
"""Seconds for which an imported file is watched: if it grows, it is imported again."""

DUE_SECONDS = 600.0
"""Minimum of seconds between evaluations of the alert rules, which are about whole days."""

Report = Callable[[FileReport | Refusal], None]


@dataclass
class FileSighting:
    """State of a file: since when it has looked the same, and when to try it (again)."""

    state: tuple[int, int]
    unchanged_since: float
    tries: int = 0
    delay: float = 0.0
    next_try: float = 0.0


@dataclass(frozen=True)
class Instructions:
    """Kind and options of files, from `import.toml`, a file's own `.toml`, or the command line."""

    kind: str | None
    options: ImportOptions


class Watch:
    """Watch of one folder. Reports and its own refusals go to `report`."""

    def __init__(
        self,
        viewer: Viewer,
        folder: Path,
        options: ImportOptions | None = None,
        logs: tuple[Path, ...] = (),
        stable_seconds: float = 5.0,
        keep_days: int | None = None,
        report: Report = lambda _report: None,
        do_due: Callable[[], None] = lambda: None,
    ) -> None:
        viewer.require(Permission.MANAGE_IMPORTS)
        self.viewer = viewer
        self.folder = folder.absolute()
        self.options = options or ImportOptions()
        self.report = report
        self.do_due = do_due
        self.stable_seconds, self.keep_days = stable_seconds, keep_days
        self.refused = 0
        """Number of refusals of files so far."""
        self._sightings: dict[Path, FileSighting] = {}
        self._unmovable: dict[Path, tuple[int, int]] = {}
        self._archived: dict[Path, tuple[Path, int, float]] = {}
        self._logs: dict[Path, tuple[Follower, FileSighting]] = {}
        self._reported_problems: set[tuple[str, str]] = set()
        self._done_at = -DUE_SECONDS
        for path in logs:
            self._follow(path.resolve(), self.options)  # a link that the operator named

    def run(self, stop: Stop, every: float = 5.0) -> None:
        """Check again and again until stopped; the file at work is finished first."""
        while not stop.is_set():
            try:
                self.check(stop)
                if time.monotonic() - self._done_at >= DUE_SECONDS:
                    self._do_due()
            except Exception as error:  # such as locked records: report it and go on
                self._report_once(_as_refusal(error))
            stop.wait(every)
        self._do_due()

    def run_once(self, stop: Stop) -> None:
        """Import the complete files, read the logs to their end, and return."""
        self.check(stop)
        stop.wait(self.stable_seconds + 0.01)
        self.check(stop)
        self._do_due()

    def _do_due(self) -> None:
        self.do_due()
        self._done_at = time.monotonic()

    def check(self, stop: Stop | None = None) -> None:
        """Check once: note new files, import complete ones, read the logs on."""
        stop = stop or Stop()
        try:
            states = {path: _read_state(path) for path in self._find_files()}
        except OSError as error:
            self._report_once(build_unopened(self.folder, error, "no_folder"))
            return
        for path in set(self._sightings) - set(states):
            del self._sightings[path]
        for path, state in states.items():
            if stop.is_set():
                return
            try:
                refuse_special(path)
            except Refusal as refusal:
                self._report_once(refusal)
            if state is not None and LOG_NAME.fullmatch(path.name):
                self._notice_log(path)
            elif state is not None and self._unmovable.get(path) != state:
                self._check_file(path, state)
        for path in list(self._logs):
            if not stop.is_set():
                self._read_log(path, stop)
        self._requeue_grown()
        self._clear_old()

    def _find_files(self) -> Iterator[Path]:
        """Find the files in and below the folder, oldest first; none hidden or unfinished."""
        paths = []
        for root, folders, names in os.walk(self.folder, onerror=_reraise):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths += [
                Path(root) / name
                for name in names
                if not name.startswith(".") and not name.endswith((*UNFINISHED, ".toml"))
            ]
        return iter(sorted(paths, key=lambda path: ((_read_state(path) or (0, 0))[1], path)))

    def _check_file(self, path: Path, state: tuple[int, int]) -> None:
        now = time.monotonic()
        sighting = self._sightings.get(path)
        if sighting is None or sighting.state != state:
            sighting = self._sightings[path] = FileSighting(state, now)
        if (
            now - sighting.unchanged_since >= self.stable_seconds
            and now >= sighting.next_try
            and (self.stable_seconds or state[0])
        ):
            self._import(path, sighting)

    def _import(self, path: Path, sighting: FileSighting) -> None:
        """Import one file and move it away; a temporary failure is tried again later."""
        try:
            with stay_inside(self.folder):
                self._import_inside(path, sighting)
        except (FileNotFoundError, Refusal) as error:  # gone, or a link, since it was read
            if getattr(error, "code", "no_file") not in ("no_file", "no_regular_file"):
                raise
            self._sightings.pop(path, None)

    def _import_inside(self, path: Path, sighting: FileSighting) -> None:
        try:
            instructions = self._find_instructions(path)
        except Misuse as misuse:
            self._report_once(misuse)
            self._postpone(sighting)
            return
        try:
            kind = (
                instructions.kind
                or _find_mapping_kind(instructions.options.profile)
                or find_kind(path, instructions.options)
            )
            report = pipeline.run(self.viewer, kind, [path], instructions.options)[0]
            refusal = report.refusal
        except Refusal as refused:
            report, refusal = FileReport(file=str(path), refusal=refused), refused
        except Exception as error:
            sighting.tries += 1
            refusal = _as_refusal(error)
            report = FileReport(file=str(path), refusal=refusal)
        if refusal is None:
            self.report(report)
            self._archive(path, sighting.state, report)
        elif refusal.code == UNCONFIRMED:  # somebody must confirm how it is read
            self.refused += 1
            layouts.note_printed(report.reading, waiting=str(path))
            self._report_once(refusal, path)
            self._postpone(sighting)
        elif refusal.code in ("no_file", "no_regular_file"):  # it became a link meanwhile
            self._sightings.pop(path, None)
        elif refusal.code == "unreadable_file":  # the sender may still grant access
            self.refused += 1
            self._report_once(refusal)
            self._postpone(sighting)
        elif refusal.code in system_errors.TEMPORARY_CODES or (
            refusal.code == "failed" and sighting.tries < MAX_TRIES
        ):
            self._report_once(refusal)
            self._postpone(sighting)
        else:
            self.report(report)
            self._refuse(path, sighting.state, refusal)

    def _archive(self, path: Path, state: tuple[int, int], report: FileReport) -> None:
        """Move the file into `.taken`, with its report; not when it changed meanwhile."""
        if _read_state(path) != state:
            return
        folder = self.folder / TAKEN_FOLDER / path.parent.relative_to(self.folder)
        target = folder / f"{report.batch_id}-{path.name}"
        note = json.dumps(report.as_json(), ensure_ascii=False, indent=2)
        if self._move(path, state, target, note, ".report.json"):
            self._archived[target] = (path, state[0], time.monotonic())
            self._reported_problems -= {
                problem
                for problem in self._reported_problems
                if problem[0] in system_errors.TEMPORARY_CODES
            }

    def _refuse(self, path: Path, state: tuple[int, int], refusal: Refusal) -> None:
        self.refused += 1
        hint = "\n" + "\n".join(refusal.options) if refusal.options else ""
        folder = self.folder / REFUSED_FOLDER / path.parent.relative_to(self.folder)
        target = folder / f"{table_reader.compute_digest(path)[:8]}-{path.name}"
        note = f"{refusal.code}: {i18n.format_refusal(refusal)}{hint}\n"
        self._move(path, state, target, note, ".reason.txt")

    def _move(
        self, path: Path, state: tuple[int, int], target: Path, note: str, ending: str
    ) -> bool:
        """Move a file after its note. Where nothing may be moved, it is remembered as done."""
        self._sightings.pop(path, None)
        try:
            with open_parent(target, self.folder, makes=True) as place:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
                number = os.open(target.name + ending, flags, 0o666, dir_fd=place)
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    file.write(note)
            move(path, target, self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._unmovable[path] = state
            self._report_once(
                Refusal(
                    "cannot_move",
                    "Files stay where they are, because {path} cannot be written: {reason}. "
                    "Each file is still imported only once.",
                    path=str(target.parent),
                    reason=error.strerror or "unknown",
                )
            )
            return False
        with suppress(OSError):
            beside = (one.with_name(one.name + ".toml") for one in (path, target))
            move(*beside, self.folder)
        return True

    def _requeue_grown(self) -> None:
        for target, (origin, size, at) in list(self._archived.items()):
            state = _read_state(target)
            if state is not None and state[0] != size and not origin.exists():
                with suppress(OSError):
                    move(target, origin, self.folder)
            if state is None or state[0] != size or time.monotonic() - at > GROWTH_SECONDS:
                del self._archived[target]

    def _clear_old(self) -> None:
        """Delete files taken or refused, which hold clear numbers, after `keep_days` at most."""
        with store.reading() as session:
            days = settings.current(session).working_file_retention_days
        days = min(days, days if self.keep_days is None else self.keep_days)
        before = environment.now().timestamp() - days * 86400
        delete_delivered(self.folder, before)

    def _notice_log(self, path: Path) -> None:
        live = path.with_name("queue_log")
        if live not in self._logs:
            try:
                self._follow(live, self._find_instructions(live).options)
            except Misuse as misuse:
                self._report_once(misuse)

    def _follow(self, path: Path, options: ImportOptions) -> None:
        self._logs[path] = (Follower(self.viewer, path, options), FileSighting((0, 0), 0.0))

    def _read_log(self, path: Path, stop: Stop) -> None:
        follower, sighting = self._logs[path]
        began = time.monotonic()
        if began < sighting.next_try:
            return
        refusal, has_loaded = None, False
        is_inside = path.is_relative_to(self.folder)
        try:
            with stay_inside(self.folder) if is_inside else nullcontext():
                for report in follower.catch_up(stop):
                    refusal, has_loaded = report.refusal, True
                    if refusal is None:
                        self.report(report)
        except Exception as error:
            refusal = _as_refusal(error)
        if follower.lost:
            follower.lost = False
            self.report(
                Refusal(
                    "log_cut",
                    "{path} was cut short or removed. Lines written after the last reading "
                    "may be missing.",
                    path=str(path),
                )
            )
        if refusal is not None:
            self._report_once(refusal)
            self._postpone(sighting)
            return
        sighting.delay = 0.0
        if has_loaded:
            sighting.next_try = time.monotonic() + max(
                LOG_SECONDS, REST_FACTOR * (time.monotonic() - began)
            )

    def _postpone(self, sighting: FileSighting) -> None:
        sighting.delay = min(MAX_WAIT, sighting.delay * 2 or FIRST_WAIT)
        sighting.next_try = time.monotonic() + sighting.delay

    def _report_once(self, refusal: Refusal, path: Path | None = None) -> None:
        key = (refusal.code, str(path or refusal))
        if key not in self._reported_problems:
            self._reported_problems.add(key)
            self.report(FileReport(str(path), refusal=refusal) if path else refusal)

    def _find_instructions(self, path: Path) -> Instructions:
        """Find the instructions: beside the file, in its folders, of the command. Raises Misuse."""
        kind, options = None, ImportOptions()
        folders = [
            folder for folder in (path.parent, *path.parents) if folder.is_relative_to(self.folder)
        ]
        for path_of_options in (
            path.with_name(path.name + ".toml"),
            *(folder / OPTIONS_FILE for folder in dict.fromkeys(folders)),
        ):
            instructions = read_instructions(path_of_options)
            kind, options = kind or instructions.kind, options.with_defaults(instructions.options)
        folder_names = (folder.name for folder in dict.fromkeys(folders) if folder != self.folder)
        prefixes = (known for known in KINDS if path.name.lower().startswith(known))
        kind = (
            kind
            or next((name.lower() for name in folder_names if name.lower() in KINDS), None)
            or next(prefixes, None)
        )
        return Instructions(kind, options.with_defaults(self.options))


def read_instructions(path: Path) -> Instructions:
    """Read kind and options from a TOML file with the import's keys, if any. Raises Misuse."""
    try:
        with open_file(path) as file:
            text = file.read(MAX_INSTRUCTIONS)
        content: dict[str, Any] = tomllib.loads(text.decode("utf-8-sig"))
    except FileNotFoundError:
        return Instructions(None, ImportOptions())
    except ValueError as error:
        at = re.search(r"line (\d+)", str(error))
        before = text[: getattr(error, "start", len(text))]  # of bytes that are no UTF-8
        raise Misuse(
            "bad_instructions",
            "Line {line} of {name} cannot be read. Write such lines, saved as UTF-8: {example}",
            line=at[1] if at else before.count(b"\n") + 1,
            name=str(path),
            example='kind = "contacts"',
        ) from error
    except (OSError, Refusal) as error:
        raise Misuse(
            "bad_instructions",
            "{name} cannot be opened: {reason}.",
            name=str(path),
            reason=str(error),
        ) from error
    kind = content.pop("kind", None)
    mappings = dict.fromkeys(("columns", "units", "scales", "words", "only"), Mapping)
    expected = {**mappings, "start_date": date, "yes": bool}
    unwanted = {
        "dry_run", "save_mapping", "purpose", "pattern", "expect", "confirm", "is_stated",
    }  # fmt: skip
    known = {item.name for item in fields(ImportOptions)} - unwanted
    wrong = [
        name
        for name, value in content.items()
        if name not in known or not isinstance(value, expected.get(name, str))
    ]
    if wrong or (kind is not None and kind not in KINDS):
        name = f"{path}: {', '.join(wrong) or f'kind = {kind}'}"
        names = ["kind", *sorted(known)] if wrong else KINDS
        raise build_unlisted("bad_instructions", name, names)
    is_stated = bool(content.get("columns") or content.get("profile"))
    return Instructions(kind, replace(ImportOptions(), **content, is_stated=is_stated))


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder for this process. Raises Refusal when another watches it."""
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    path = environment.current().folder / "watching" / f"{digest}.lock"
    with environment.lock(path, waits=False) as is_held:
        if not is_held:
            raise Refusal(
                "watched_already",
                "Another process is reading {name}. Stop it, or wait for it.",
                name=str(folder),
            )
        path.write_text(str(folder.absolute()), encoding="utf-8")
        yield


def find_watched() -> Iterator[Path]:
    for file in (environment.current().folder / "watching").glob("*.lock"):
        if name := file.read_text(encoding="utf-8"):
            yield Path(name)


def walk_delivered(folder: Path, before: float) -> Iterator[tuple[int, str, float]]:
    """Walk the files taken or refused before that moment (seconds): the descriptor of their
    folder, open until the next one; their name; when they were moved.
    """
    for subfolder in (TAKEN_FOLDER, REFUSED_FOLDER):
        with suppress(OSError):
            for _root, _folders, names, place in os.fwalk(folder / subfolder):
                for name in names:
                    with suppress(OSError):
                        moved_at = os.stat(name, dir_fd=place, follow_symlinks=False).st_ctime
                        if moved_at < before:
                            yield place, name, moved_at


def delete_delivered(folder: Path, before: float) -> None:
    """Delete the files taken or refused before that moment (seconds)."""
    for place, name, _moved_at in walk_delivered(folder, before):
        with suppress(OSError):
            os.unlink(name, dir_fd=place)


def _find_mapping_kind(name: str | None) -> str | None:
    with store.reading() as session:
        saved = session.get(SavedMapping, name) if name else None
        return saved.kind if saved else None


def _as_refusal(error: Exception) -> Refusal:
    """Return the refusal that an error is or causes, else one for a failure."""
    return (
        system_errors.find_refusal(error)
        or system_errors.find_closed_file(error)
        or Refusal(
            "failed", "The import failed unexpectedly ({error}).", error=type(error).__name__
        )
    )


def _reraise(error: OSError) -> None:
    raise error


def _read_state(path: Path) -> tuple[int, int] | None:
    """Read size and time of change; None when there is no such file (any more)."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
