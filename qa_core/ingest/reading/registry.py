"""Registry of profiles and platforms, and their recognition in a file."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from qa_core.base.errors import Refusal, build_unlisted
from qa_core.files import readers
from qa_core.files.archives import Content, open_content
from qa_core.files.header_text import simplify
from qa_core.files.options import ALL_KINDS, KINDS, ImportOptions
from qa_core.files.signatures import Sample, Signature, take_sample
from qa_core.ingest import platforms, profiles
from qa_core.ingest.columns import header_matching, table_bounds
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.staging.declaration import Profile
from qa_core.ingest.words import tables

GENERIC = "generic"


def _find_declared(package: ModuleType, name: str) -> list[Any]:
    """Find what the modules of a package declare under that name."""
    modules = (
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    )
    return [getattr(module, name) for module in modules if hasattr(module, name)]


@cache
def find_platforms() -> tuple[Platform, ...]:
    """Find every PLATFORM that a module of `platforms` declares, sorted by name."""
    return tuple(sorted(_find_declared(platforms, "PLATFORM"), key=lambda platform: platform.name))


@cache
def find_profiles() -> tuple[Profile, ...]:
    """Find every PROFILE that a module of `profiles` declares; the first of a kind is generic."""
    found = sorted(_find_declared(profiles, "PROFILE"), key=lambda profile: profile.name)
    found.sort(key=lambda profile: (profile.name != GENERIC, ALL_KINDS.index(profile.kind)))
    return tuple(found)


@cache
def list_signatures() -> tuple[tuple[Signature, Platform | Profile], ...]:
    """List what files must show to be recognised, and the platform or profile of each."""
    declared = (*find_platforms(), *find_profiles())
    return tuple((signature, owner) for owner in declared for signature in owner.signatures)


def is_platform(name: str | None) -> bool:
    return name in {platform.name for platform in find_platforms()}


def is_known(name: str | None) -> bool:
    """Return whether a profile or a platform has that name; saved mappings have others."""
    return is_platform(name) or name in {profile.name for profile in find_profiles()}


def _find_any_platform(sample: Sample, name: str | None) -> Platform | None:
    if name is not None:
        return next((platform for platform in find_platforms() if platform.name == name), None)
    fits = (
        declared
        for signature, declared in list_signatures()
        if isinstance(declared, Platform) and signature.fits(sample)
    )
    return next(fits, None)


def find_platform(sample: Sample, kind: str, name: str | None = None) -> Platform | None:
    """Find the platform named or recognised, or None. Raises Refusal for another kind."""
    platform = _find_any_platform(sample, name)
    if platform is not None and kind not in platform.kinds:
        if (
            name is None
            and not sample.is_document
            and kind not in ("contacts", "tracking", "intervals")
        ):
            return None
        raise Refusal(
            "other_kind",
            "{name} is an export of {platform}, which holds {kinds}, not {kind}.",
            options=tuple(f"import {other}" for other in platform.kinds),
            name=sample.name,
            platform=platform.title,
            kinds=", ".join(platform.kinds) or "–",
            kind=kind,
        )
    return platform


def get_profile(kind: str, name: str | None) -> Profile:
    """Get the profile of that kind and name (default: generic). Raises Refusal."""
    of_kind = [profile for profile in find_profiles() if profile.kind == kind]
    for profile in of_kind:
        if name in (None, profile.name):
            return profile
    names = [profile.name for profile in of_kind] + [
        platform.name for platform in find_platforms() if kind in platform.kinds
    ]
    options = (f"--profile {name}" for name in names)
    raise build_unlisted("unknown_profile", name or kind, names, options, Refusal)


def recognise_profile(kind: str, rows: Iterable[Iterable[str]]) -> Profile | None:
    """Find the profile whose own headers are together in one of these rows, or None."""
    names = [
        {header_matching.parse_header(cell).words for cell in row}
        | {simplify(cell) for cell in row}
        for row in rows
    ]
    fits = (
        declared
        for signature, declared in list_signatures()
        if isinstance(declared, Profile)
        and declared.kind == kind
        and signature.find_row(names) is not None
    )
    return next(fits, None)


def find_kind(path: Path, options: ImportOptions | None = None) -> str:
    """Find the kind of a file by its content. Raises Refusal unless just one fits."""
    options = options or ImportOptions()
    content = open_content(path, options.encoding)
    platform = _find_any_platform(take_sample(content), options.profile)
    if platform is not None:
        return platform.kinds[0]
    for profile in find_profiles():
        if profile.name == options.profile:
            return profile.kind
    of_rows = [profile for profile in find_profiles() if profile.kind in KINDS]
    fits = _count_fields(content, of_rows, options)
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
    content: Content, of_rows: Iterable[Profile], options: ImportOptions
) -> dict[str, int]:
    vocabularies = {
        profile: header_matching.build_vocabulary(profile.fields) for profile in of_rows
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


def list_headers(kind: str) -> Iterator[tuple[str, str, str]]:
    """List field, language and headers of every field of a kind of file."""
    for field in get_profile(kind, None).fields:
        for language in tables.LANGUAGES:
            names = [field.name] if language == tables.LANGUAGES[0] else []
            if headers := names + tables.find_headers(language, field.kind, field.name):
                yield field.name, language, " · ".join(headers)


def list_words() -> Iterator[tuple[str, str, str]]:
    """List meaning, language and words of outcomes, directions, yes and no."""
    for section in ("outcomes", "directions", "answers", "states"):
        for meaning, language, words in tables.list_meanings(section):
            yield meaning, language, " · ".join(words)
