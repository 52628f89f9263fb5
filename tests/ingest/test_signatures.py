"""Recognition of exports: what a file must show, and nothing less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qa_core.files.archives import open_content
from qa_core.files.signatures import Headers, Keys, Sample, take_sample
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.reading import registry
from qa_core.ingest.staging.declaration import Profile

SIGNED = registry.list_signatures()
BY_KEYS = [(signature, found) for signature, found in SIGNED if isinstance(signature, Keys)]
BY_HEADERS = [
    (signature, found)
    for signature, found in SIGNED
    if isinstance(signature, Headers) and isinstance(found, Platform) and not signature.values
]
BY_NAME = [(signature, found) for signature, found in SIGNED if isinstance(found, Profile)]


def name_of(value: Any) -> str | None:
    return value.name if isinstance(value, (Platform, Profile)) else None


def build(folder: Path, name: str, content: Any) -> Sample:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return take_sample(open_content(path))


def build_object(signature: Keys, left_out: str | None = None) -> dict[str, Any]:
    names = [*signature.every, *signature.some, *(f"Voice{end}" for end in signature.endings[:1])]
    return {name: "x" for name in names if name != left_out}


@pytest.mark.parametrize(("signature", "platform"), BY_KEYS, ids=name_of)
def test_objects_with_the_keys_of_a_tool_are_its_export(
    tmp_path: Path, signature: Keys, platform: Platform
) -> None:
    whole = build_object(signature)

    assert registry.find_platform(build(tmp_path, "a.json", [whole] * 3), platform.kinds[0]) == (
        platform
    )
    for wrapper in signature.within:
        wrapped = build(tmp_path, "a.json", [{wrapper: whole, "event": "ended"}] * 3)
        assert registry.find_platform(wrapped, platform.kinds[0]) == platform


@pytest.mark.parametrize(("signature", "platform"), BY_KEYS, ids=name_of)
def test_one_object_without_a_key_is_no_export_of_the_tool(
    tmp_path: Path, signature: Keys, platform: Platform
) -> None:
    whole = build_object(signature)

    for key in signature.every:
        items = [whole, build_object(signature, left_out=key)]
        sample = build(tmp_path, "a.json", items)
        assert not signature.fits(sample)
    for key in signature.some:
        one = build(tmp_path, "a.json", [whole, build_object(signature, left_out=key)])
        none = build(tmp_path, "a.json", [build_object(signature, left_out=key)] * 2)
        assert signature.fits(one)
        assert not signature.fits(none)


@pytest.mark.parametrize(("signature", "platform"), BY_HEADERS, ids=name_of)
def test_a_table_with_the_headers_of_a_tool_is_its_export_below_titles_too(
    tmp_path: Path, signature: Headers, platform: Platform
) -> None:
    names = [name.split("|")[-1] for name in signature.names]
    header, row = ",".join(names), ",".join("1" for _name in names)

    table = build(tmp_path, "a.csv", f"Report of March,\n{header}\n{row}\n")
    assert registry.find_platform(table, platform.kinds[0]) == platform
    for name in names:
        fewer = build(tmp_path, "a.csv", f"{','.join(set(names) - {name})}\n{row}\n")
        assert registry.find_platform(fewer, platform.kinds[0]) is None


@pytest.mark.parametrize(("signature", "profile"), BY_NAME, ids=name_of)
def test_a_table_with_the_headers_of_a_profile_is_read_by_it(
    signature: Headers, profile: Profile
) -> None:
    header = [name.title() for name in signature.names]

    assert registry.recognise_profile(profile.kind, [["Export"], header]) == profile
    assert registry.recognise_profile(profile.kind, [header[1:], header[:1]]) is None
    assert registry.recognise_profile("surveys", [header]) is None


def test_a_plain_table_belongs_to_the_generic_profile(tmp_path: Path) -> None:
    table = "Call ID,Date,Agent,Status\nC1,2026-03-02,Ann,answered\n"

    assert registry.find_platform(build(tmp_path, "calls.csv", table), "contacts") is None
    assert registry.recognise_profile("contacts", [table.split("\n")[0].split(",")]) is None


def test_every_module_that_declares_a_profile_or_platform_is_found() -> None:
    folder = Path(registry.__file__).parents[1]
    for package, found in (
        ("profiles", registry.find_profiles()),
        ("platforms", registry.find_platforms()),
    ):
        name = package.removesuffix("s").upper()
        declared = [
            path for path in (folder / package).glob("*.py") if f"\n{name} = " in path.read_text()
        ]
        assert len(found) == len(declared) > 10
        assert len({(item.name, getattr(item, "kind", "")) for item in found}) == len(found)
