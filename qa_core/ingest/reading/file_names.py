"""Recordings without a manifest: their contacts, parsed from the file names."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.compliance.recordings import audio
from qa_core.files.archives import is_regular, open_file
from qa_core.files.decision import Decision
from qa_core.files.options import PURPOSES, ImportOptions
from qa_core.ingest.reading import table_reader
from qa_core.ingest.staging import quarantine
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.ingest.staging.staged import SCHEMAS, Staged
from qa_core.ingest.staging.tally import ImportTally

PLACES = {
    "contact_id": r".+?",
    "system": r"[^/]+?",
    "date": r"\d{4}[-_]?\d{2}[-_]?\d{2}",
    "time": r"\d{2}[-_:h]?\d{2}(?:[-_:m]?\d{2})?",
    "any": r".*?",
}
"""Places of a pattern, written in braces. `any` may be repeated, and is not kept."""

ENDING = re.compile(r"\.[A-Za-z]\w{0,4}$")
"""Ending of a file name; starts with a letter, since ids may end in a full stop and digits."""

DEFAULT_PATTERN = "{contact_id}"
TABLE_MARKS = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"\xff\xfe", b"\xfe\xff",
)  # fmt: skip
"""First bytes of packed files, workbooks and wide texts, which may be a manifest."""


def is_manifest(path: Path) -> bool:
    """Return whether the content is a table, not a folder, audio, an image or the like."""
    if not is_regular(path) or audio.is_audio(path):
        return False
    with open_file(path) as file:
        head = file.read(4096)
    return head.startswith(TABLE_MARKS) or b"\0" not in head


def stage_files(path: Path, options: ImportOptions) -> Staged:
    """Stage a file or the files below a folder, without hidden ones. Raises Refusal, Misuse."""
    pattern = options.pattern or DEFAULT_PATTERN
    expression = _compile_pattern(pattern)
    if not options.purpose:
        raise Refusal(
            "no_purpose",
            "File names do not say why the recordings are kept. Name the purpose: training, "
            "evaluation, quality or proof.",
            options=tuple(f"--purpose {name}" for name in PURPOSES),
        )
    base = path if path.is_dir() else path.parent
    names = sorted(_find_names(base)) if path.is_dir() else [path.name]
    if not names:
        raise Refusal("no_rows", "There is no file in {path}.", path=str(path))
    rows, rejected = [], []
    for line, name in enumerate(names, start=1):
        parts = _read_name(name if "/" in pattern else Path(name).name, expression, options)
        if parts is None:
            rejected.append(
                (line, "unlike_pattern", mask_contact_details(pa.array([name])).to_pylist())
            )
        else:
            rows.append({"line": line, "file": name, **parts})
    with table_reader.staging_folder(options) as folder:
        staged = Staged(
            kind="recordings",
            system=options.system or "generic",
            profile="file names",
            file=path,
            digest="",
            folder=folder,
            rows=folder / "rows.parquet",
            rejected_rows=folder / "rejected.parquet",
            headers=("file",),
            columns=tuple(SCHEMAS["recordings"]),
            mapping={"file": "file"},
            decisions=[
                Decision.of(
                    "contact_id",
                    N_("taken from the names of the files, by the pattern {pattern}"),
                    pattern=pattern,
                )
            ],
            tally=ImportTally(len(names), reasons=Counter(row[1] for row in rejected)),
            accepted=len(rows),
        )
        schema = pa.schema([("line", pa.int64()), *SCHEMAS["recordings"].items()])
        pseudonyms = Pseudonyms.current(may_create=not options.dry_run)
        table = pseudonyms.hide_numbers(pa.Table.from_pylist(rows, schema))
        pq.write_table(table, staged.rows)
        with pq.ParquetWriter(staged.rejected_rows, quarantine.REJECTED_SCHEMA) as writer:
            quarantine.write_rejected(writer, rejected, len(staged.headers))
    return staged


def _find_names(base: Path) -> list[str]:
    paths = (path.relative_to(base) for path in base.rglob("*") if not path.is_dir())
    return [
        path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)
    ]


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w*)\}", pattern)
    names = pieces[1::2]
    kept_names = [name for name in names if name != "any"]
    if (
        set(names) - set(PLACES)
        or len(kept_names) != len(set(kept_names))
        or "contact_id" not in kept_names
    ):
        raise Misuse(
            "bad_pattern",
            "{pattern} is not a pattern of file names. It needs {{contact_id}} once. It may "
            "have {{system}}, {{date}} and {{time}} once, and {{any}}.",
            pattern=pattern,
        )
    parts = (
        re.escape(piece)
        if index % 2 == 0
        else PLACES[piece]
        if piece == "any"
        else f"(?P<{piece}>{PLACES[piece]})"
        for index, piece in enumerate(pieces)
    )
    return re.compile("".join(parts))


def _read_name(
    name: str, expression: re.Pattern[str], options: ImportOptions
) -> dict[str, str | datetime | None] | None:
    """Parse a name, with or without its ending; None if it does not fit or names no real day."""
    match = expression.fullmatch(ENDING.sub("", name)) or expression.fullmatch(name)
    if match is None:
        return None
    parts, recorded_at = match.groupdict(), None
    if "date" in parts:
        clock = re.sub(r"\D", "", parts.get("time", "")).ljust(6, "0")
        try:
            local_moment = datetime.strptime(
                re.sub(r"\D", "", parts["date"]) + clock, "%Y%m%d%H%M%S"
            )
        except ValueError:
            return None
        zone = ZoneInfo(options.timezone) if options.timezone else environment.current().zone
        recorded_at = local_moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return {
        "contact_id": parts["contact_id"],
        "source_system": parts.get("system"),
        "recorded_at": recorded_at,
    }
