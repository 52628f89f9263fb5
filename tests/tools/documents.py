"""Writer of the generated parts of the documents: `python tests/tools/documents.py`, or
`make documents`.

A part stands between `<!-- name -->` and `<!-- /name -->`. `tests/test_docs.py`
compares each with what its function builds.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]


def build_table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Build a Markdown table; a bar in a cell is escaped."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        cells = ("" if cell is None else " ".join(str(cell).split()) for cell in row)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


FRENCH = {
    "setting": "réglage", "default": "défaut", "values": "valeurs", "meaning": "sens",
    "dimension": "dimension", "title": "titre", "family": "famille",
    "permission": "permission", "executives": "direction", "yes": "oui", "empty": "vide",
    "up to {most} characters, or empty": "{most} caractères au plus, ou vide",
    "{low} to {high}": "{low} à {high}", "{text} or empty": "{text} ou vide",
    "Call statistics": "Statistiques d’appels", "First contact": "Premier contact",
    "Repeats": "Réitérations", "Satisfaction": "Satisfaction", "Quality": "Qualité",
    "Tracking": "Call tracking", "Recording": "Enregistrement",
    "Formula": "Formule", "Kind": "Nature", "Permission": "Permission",
    "Dimensions": "Dimensions", "Settings": "Réglages", "in": "en",
    "higher is better": "plus haut est mieux", "lower is better": "plus bas est mieux",
    "no better side": "pas de meilleur sens", "Counted beside n": "Comptés à côté de n",
    "Percentiles": "Centiles",
    "Totals by interval are added where no contact covers them":
        "Les totaux par intervalle s’ajoutent là où aucun contact ne les couvre",
    "Excluded; the first reason that applies counts":
        "Exclus ; la première raison valable compte",
    "all": "toutes", "all dimensions of contacts": "toutes celles des contacts",
    "without": "sauf", "English": "anglais", "French": "français", "KPI": "KPI",
    "time": "temps", "contact": "contact", "people": "personnes", "tracking": "suivi",
    "quality": "qualité",
}  # fmt: skip
"""French of the words that only the documents use."""


def say(text: str) -> str:
    """Return a word of the documents in the language that is built."""
    from qa_core.base import i18n

    return FRENCH[text] if i18n.language() == "fr" else text


def in_french(build: Callable[[], str]) -> Callable[[], str]:
    """Build the same part in French."""

    def build_in_french() -> str:
        from qa_core.base import i18n

        spoken = i18n.language()
        i18n.use("fr")
        try:
            return build()
        finally:
            i18n.use(spoken)

    return build_in_french


def code(*names: object) -> str:
    """Write names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def draw_rooms() -> str:
    """Draw the rooms and their arrows from the imports."""
    from tools import rooms

    return rooms.draw_diagram(rooms.find_arrows(rooms.find_imports(rooms.find_modules())))


def find_commands() -> Iterator[tuple[str, Any]]:
    """Find every command of the command line, as its words and its Click command."""

    from qa_core.cli.app import build_app

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                yield from walk(child, (*words, name))
        elif not command.hidden:
            yield " ".join(words), command

    return walk(build_app(), ())


def list_commands() -> str:
    """List every command with its arguments and options."""
    lines = []
    for words, command in sorted(find_commands()):
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        usage = " ".join(
            [
                words,
                *(f"[{item.metavar}]" if not item.required else item.metavar for item in arguments),
            ]
        )
        lines += [f"### `{usage}`", "", " ".join((command.help or "").split()), ""]
        lines += [f"- `{item.metavar}`: {item.help}" for item in arguments if item.help]
        for item in command.params:
            if item.param_type_name == "option" and not item.hidden:
                lines.append(_describe_option(item))
        lines += [""] if lines[-1] else []
    return "\n".join(lines).rstrip()


def _describe_option(option: Any) -> str:
    value = "" if option.is_flag else " " + (option.metavar or option.opts[0].strip("-").upper())
    remarks = [
        " ".join((option.help or "").split()),
        "Required." if option.required else "",
        "Repeatable." if option.multiple else "",
        f"Default: {option.default}." if option.default not in (None, False, ()) else "",
    ]
    said = " ".join(filter(None, remarks))
    return f"- `{option.opts[0]}{value}`" + (f": {said}" if said else "")


def list_settings() -> str:
    """List the settings with default, limits and meaning."""
    from qa_core.base.i18n import _
    from qa_core.centre import settings

    def limits(entry: settings.Setting) -> str:
        if entry.choices:
            return code(*entry.choices)
        if entry.kind == "text":
            return say("up to {most} characters, or empty").format(most=f"{entry.high:g}")
        text = say("{low} to {high}").format(low=f"{entry.low:g}", high=f"{entry.high:g}")
        return say("{text} or empty").format(text=text) if entry.is_optional else text

    return build_table(
        tuple(map(say, ("setting", "default", "values", "meaning"))),
        (
            (
                code(entry.name),
                say("empty") if entry.default is None else f"`{entry.default}`",
                limits(entry),
                _(entry.meaning),
            )
            for entry in settings.ALL
        ),
    )


def list_dimensions() -> str:
    """List the dimensions with the permission that each takes."""
    from qa_core.access.roles import DIMENSION_PERMISSIONS, EXECUTIVE_DIMENSIONS
    from qa_core.base.i18n import _
    from qa_core.metrics.kpis.dimensions import DIMENSIONS

    return build_table(
        tuple(map(say, ("dimension", "title", "family", "permission", "executives"))),
        (
            (
                code(entry.key),
                _(entry.title),
                say(entry.family),
                code(DIMENSION_PERMISSIONS[entry.key])
                if entry.key in DIMENSION_PERMISSIONS
                else "",
                say("yes") if entry.key in EXECUTIVE_DIMENSIONS else "",
            )
            for entry in DIMENSIONS
        ),
    )


def list_kpis() -> str:
    """List every KPI as it is declared, by subject."""
    from qa_core.metrics import kpis

    lines = []
    for name in ("call_statistics", "first_contact", "repeats", "satisfaction", "quality",
                 "tracking", "recording"):  # fmt: skip
        lines += [f"### {say(name.replace('_', ' ').capitalize())}", ""]
        for kpi in getattr(kpis, name).ALL:
            lines += [*_describe_kpi(kpi), ""]
    return "\n".join(lines).rstrip()


def _describe_kpi(kpi: Any) -> Iterator[str]:
    from qa_core.base.i18n import _

    def line(title: str, text: str) -> str:
        return f"- {say(title)}: {text}"

    yield f"#### `{kpi.key}`: {_(kpi.title)}"
    yield ""
    yield f"{_(kpi.meaning)}"
    yield ""
    yield line("Formula", _(kpi.formula))
    better = {"up": "higher is better", "down": "lower is better", "neither": "no better side"}
    yield line("Kind", f"{kpi.kind}, {say('in')} {kpi.unit}; {say(better[kpi.better])}")
    yield line("Permission", f"`{kpi.needs}`")
    yield line("Dimensions", _describe_dimensions(kpi.dimensions))
    if kpi.settings:
        yield line("Settings", code(*kpi.settings))
    if kpi.excluded_counts:
        yield line("Counted beside n", code(*kpi.excluded_counts))
    if kpi.has_percentiles:
        yield line("Percentiles", "p50, p90, p95")
    if kpi.sums:
        yield "- " + say("Totals by interval are added where no contact covers them")
    if kpi.exclusions:
        yield f"- {say('Excluded; the first reason that applies counts')}:"
        for entry in kpi.exclusions:
            yield f"  - {_(entry.title)} (`{entry.code}`)"


def _describe_dimensions(keys: Sequence[str]) -> str:
    """Name a known set of dimensions, with what is missing from it; else list them."""
    from qa_core.metrics.kpis import declaration

    known = {
        "all": declaration.ALL_DIMENSIONS,
        "all dimensions of contacts": declaration.CONTACT_DIMENSIONS,
    }
    for title, dimensions in known.items():
        missing = [key for key in dimensions if key not in keys]
        if set(keys) <= set(dimensions) and len(missing) <= 4:
            return say(title) + (f", {say('without')} {code(*missing)}" if missing else "")
    return code(*keys)


def list_kpi_words() -> str:
    """List the KPIs with their English and French titles and meanings."""
    from qa_core.base.i18n import _
    from qa_core.metrics.kpis import ALL

    def find_french(text: str) -> str:
        return in_french(lambda: _(text))()

    return build_table(
        tuple(map(say, ("KPI", "English", "French", "meaning"))),
        ((code(kpi.key), kpi.title, find_french(kpi.title), _(kpi.meaning)) for kpi in ALL),
    )


def list_terms() -> str:
    """List the terms beside the KPIs, by subject."""
    from qa_core.base import i18n
    from qa_core.metrics.kpis import terms

    rows = [
        [entry for group in terms.read(language).values() for entry in group.items()]
        for language in ("en", "fr")
    ]
    return build_table(
        tuple(map(say, ("English", "French", "meaning"))),
        (
            (term, french, sens if i18n.language() == "fr" else meaning)
            for (term, meaning), (french, sens) in zip(*rows, strict=True)
        ),
    )


def list_columns(name: str) -> Callable[[], str]:
    """Return what lists the columns of a table of the lake."""

    def build() -> str:
        from qa_core.storage.lake.tables import MEANINGS

        columns = MEANINGS[name]["columns"].items()
        rows = ((code(column), kind, meaning) for column, (kind, meaning) in columns)
        return build_table(("column", "type", "meaning"), rows)

    return build


def list_permissions() -> str:
    """List the rows that each permission opens to each role."""
    from qa_core.access.roles import Permission, Role, find_reach

    return build_table(
        ("permission", *(str(role).replace("_", " ") for role in Role)),
        (
            (code(permission), *(find_reach(role, permission) or "" for role in Role))
            for permission in Permission
        ),
    )


def list_exits() -> str:
    """List the exits of each permission, as the tests open them."""
    matrix, doors = (
        tomllib.loads((PROJECT / "tests" / "access" / name).read_text(encoding="utf-8"))
        for name in ("matrix.toml", "doors.toml")
    )
    needs = [key for module in doors.values() for needed in module.values() for key in needed]
    return build_table(
        ("permission", "pages", "files and addresses", "commands", "functions"),
        (
            (
                code(permission),
                code(*(f"/{name}" for name in (*exits.get("pages", ()), *exits.get("parts", ())))),
                code(*exits.get("downloads", ()), *exits.get("addresses", ())),
                code(*exits.get("commands", ())),
                needs.count(permission) or "",
            )
            for permission, exits in matrix["exits"].items()
        ),
    )


def list_marks() -> str:
    """List the marks of the tests' centre with who may meet them."""
    matrix = tomllib.loads(
        (PROJECT / "tests" / "access" / "matrix.toml").read_text(encoding="utf-8")
    )
    principals = matrix["principals"]
    return build_table(
        ("mark", *(name.replace("_", " ") for name in principals)),
        (
            (kind.replace("_", " "), *(whose.get(name, "") for name in principals))
            for kind, whose in matrix["marks"].items()
        ),
    )


def list_pages() -> str:
    """List the pages with the permission that each takes and the roles that have it."""
    from qa_core.access.roles import Role, Viewer
    from qa_core.ui.frame import menu

    return build_table(
        ("page", "address", "permission", "opens for"),
        (
            (
                page.title,
                f"`/{page.key}`",
                code(page.permission) if page.permission else "none",
                ", ".join(
                    str(role).replace("_", " ")
                    for role in Role
                    if page.is_open_to(Viewer("", role))
                ),
            )
            for pages in menu.MENU.values()
            for page in pages
        ),
    )


def list_gates() -> str:
    """List the legal gates with what each expects."""
    from qa_core.compliance.conditions import gates

    rows = [
        (code(gate.name), gate.rule, gate.meaning, gate.expects, gate.source)
        for gate in gates.BY_NAME.values()
    ]
    return build_table(("gate", "rule", "meaning", "expects", "source"), rows)


def list_periods() -> str:
    """List the kinds of personal data with their periods."""
    from qa_core.compliance import retention

    rows = (
        (
            entry.title,
            entry.describe_period(entry.period),
            code(entry.setting) if entry.setting else "",
            entry.end,
            entry.rule,
            entry.source,
        )
        for entry in retention.CLASSES
    )
    return build_table(("data", "kept", "shortened by", "at the end", "rule", "source"), rows)


def list_fields() -> str:
    """List the fields of each kind of file, and which of them a file must have."""
    from qa_core.files.options import ALL_KINDS
    from qa_core.ingest.reading import registry

    profiles = [registry.get_profile(kind, None) for kind in ALL_KINDS]
    return build_table(
        ("kind", "fields", "needs"),
        (
            (
                profile.kind,
                code(*(field.name for field in profile.fields)),
                "; ".join(" or ".join(f"`{name}`" for name in group) for group in profile.needs),
            )
            for profile in profiles
        ),
    )


def list_profiles() -> str:
    """List the profiles that tables with headers are read by."""
    from qa_core.ingest.reading import registry

    return build_table(
        ("kind", "profile", "recognised by", "date order"),
        (
            (
                profile.kind,
                code(profile.name),
                " + ".join(name for signature in profile.signatures for name in signature.names)
                or "synonyms of its fields",
                profile.date_order,
            )
            for profile in registry.find_profiles()
        ),
    )


def list_platforms() -> str:
    """List the platforms whose exports are recognised by their content."""
    from qa_core.ingest.reading import registry

    return build_table(
        ("platform", "`--profile`", "kinds"),
        (
            (platform.title, code(platform.name), ", ".join(platform.kinds) or "none")
            for platform in registry.find_platforms()
        ),
    )


def list_reasons() -> str:
    """List the codes of rows that bring nothing in."""
    from qa_core.ingest.staging import reason_texts

    groups = {
        "rejected": reason_texts.REJECTED,
        "skipped": reason_texts.SKIPPED,
        "folded": reason_texts.FOLDED,
    }
    return build_table(
        ("count", "code", "meaning"),
        (
            (group, code(name), text)
            for group, texts in groups.items()
            for name, text in texts.items()
        ),
    )


def list_unscoped() -> str:
    """List the statements without a scope."""
    from tools import row_access

    return row_access.list_reasons(row_access.UNSCOPED)


def list_beyond() -> str:
    """List the statements that look beyond a scope."""
    from tools import row_access

    return row_access.list_reasons(row_access.BEYOND)


def list_system() -> str:
    """List what asks as the system."""
    from tools import row_access

    return row_access.list_system()


def list_examples() -> str:
    """List the examples of the API."""
    from qa_core.ui.views.admin import api_examples

    return "\n\n".join(
        "### {tool}\n\n{hint}\n\n```{language}\n{code}\n```".format_map(example)
        for example in api_examples.build_examples()
    )


def list_health() -> str:
    """List the reasons why the app is not ready."""
    from qa_core.ui.server import health

    rows = ((code(name), message) for name, message in health.REASONS.items())
    return build_table(("code", "message"), rows)


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("architecture.md", "rooms"): draw_rooms,
    ("api.md", "examples"): list_examples,
    ("contract.md", "commands"): list_commands,
    ("contract.md", "health"): list_health,
    ("kpis.md", "settings"): list_settings,
    ("kpis.md", "dimensions"): list_dimensions,
    ("kpis.md", "kpis"): list_kpis,
    ("glossary.md", "kpis"): list_kpi_words,
    ("glossary.md", "terms"): list_terms,
    **{
        ("../data/README.md", name): list_columns(name)
        for name in ("contacts", "intervals", "spend")
    },
    ("fr/kpis.md", "settings"): in_french(list_settings),
    ("fr/kpis.md", "dimensions"): in_french(list_dimensions),
    ("fr/kpis.md", "kpis"): in_french(list_kpis),
    ("fr/glossary.md", "kpis"): in_french(list_kpi_words),
    ("fr/glossary.md", "terms"): in_french(list_terms),
    ("access.md", "permissions"): list_permissions,
    ("access.md", "pages"): list_pages,
    ("access.md", "exits"): list_exits,
    ("access.md", "marks"): list_marks,
    ("access.md", "unscoped"): list_unscoped,
    ("access.md", "beyond"): list_beyond,
    ("access.md", "system"): list_system,
    ("compliance.md", "gates"): list_gates,
    ("compliance.md", "retention"): list_periods,
    ("import.md", "fields"): list_fields,
    ("import.md", "profiles"): list_profiles,
    ("import.md", "platforms"): list_platforms,
    ("import.md", "reasons"): list_reasons,
}
"""The generated parts: document, name of the part, and the function that builds it."""


def fill(text: str, part: str, content: str) -> str:
    """Put the content between `<!-- part -->` and `<!-- /part -->`. Raises ValueError
    where the document has no such place.
    """
    filled, count = re.subn(
        rf"(<!-- {part} -->\n).*?(<!-- /{part} -->)",
        lambda found: found[1] + content + "\n" + found[2],
        text,
        count=1,
        flags=re.DOTALL,
    )
    if not count:
        raise ValueError(f"no place for the part {part}")
    return filled


def refresh() -> None:
    """Bring every generated part up to date."""
    for (document, part), build in PARTS.items():
        path = PROJECT / "docs" / document
        path.write_text(fill(path.read_text(encoding="utf-8"), part, build()), encoding="utf-8")


if __name__ == "__main__":
    refresh()
