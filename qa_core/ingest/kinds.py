"""Kind of a file that nobody names: the one whose fields match the most columns, else it asks."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from qa_core.base.errors import Refusal
from qa_core.files import readers
from qa_core.files.archives import Content, open_content
from qa_core.files.options import KINDS, ImportOptions
from qa_core.files.sample import take_sample
from qa_core.ingest.columns import header_matching, table_bounds
from qa_core.ingest.declaration import Profile
from qa_core.ingest.registry import find_platforms, find_profiles


def find_kind(path: Path, options: ImportOptions | None = None) -> str:
    """Find the kind of a file by its content. Raises Refusal unless just one fits."""
    options = options or ImportOptions()
    content = open_content(path, options.encoding)
    sample = take_sample(content)
    name = options.profile
    for platform in find_platforms():
        if platform.name == name or (name is None and platform.recognise(sample)):
            return platform.kinds[0]
    for profile in find_profiles():
        if profile.name == name:
            return profile.kind
    profiles = [profile for profile in find_profiles() if profile.kind in KINDS]
    fits = _count_fields(content, profiles, options)
    best = max(fits.values(), default=0)
    kinds = [kind for kind, count in fits.items() if count == best]
    if len(kinds) == 1:
        return kinds[0]
    raise Refusal(
        "which_kind",
        "It is unclear what {name} holds: {kinds}. Move it to a folder named after its kind, "
        "such as contacts/, or begin its name with the kind.",
        name=path.name,
        kinds=", ".join(kinds) or "–",
    )


def _count_fields(
    content: Content, profiles: Iterable[Profile], options: ImportOptions
) -> dict[str, int]:
    """Count, by kind, the columns of the file that its best profile recognises."""
    vocabularies = {
        profile: header_matching.build_vocabulary(profile.fields) for profile in profiles
    }
    counts: dict[str, int] = {}
    try:
        source = readers.open_source(
            content, options, lambda rows: header_matching.score_rows(rows, *vocabularies.values())
        )
        sample = source.sample(table_bounds.SAMPLE_ROWS)
    except Refusal:
        return {}
    for profile, vocabulary in vocabularies.items():
        # A kind that needs a column which the file does not have does not fit.
        with suppress(Refusal):
            header = table_bounds.find_header(sample, vocabulary, tuple(options.columns.values()))
            columns = header_matching.match_columns(profile, list(header.names), options.columns)
            counts[profile.kind] = max(len(columns), counts.get(profile.kind, 0))
    return counts
