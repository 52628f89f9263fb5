"""`grid`: scorecards in and out as files, and published."""

from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import ROOT, argument, flag, option

GRID = ROOT.add_group("grid", "Scorecards: drafts and published versions.")


@GRID.command("list")
def list_grids() -> Output:
    """List every draft and every published version, with the number of its evaluations."""
    from qa_core.quality import scorecards

    found = scorecards.find_all(Viewer.SYSTEM)
    yield [
        {
            **read_fields(held, ("id", "key", "version", "title")),
            "published_at": held.published_at and held.published_at.isoformat(),
            **read_fields(held, ("published_by", "evaluations")),
        }
        for held in found
    ]
    for held in found:
        state = _("draft") if held.is_draft else _("version {version}", version=held.version)
        yield f"{held.key:24} {state:12} {held.evaluations:6}  {held.title}"
    if not found:
        yield _(
            "There is no scorecard yet. Import one: {command}",
            command="python -m qa_core grid import data/scorecards/customer_service.toml --publish",
        )


@GRID.command("import")
def import_grid(
    file: Path = argument("FILE", "TOML, XLSX, ODS or CSV."),
    key: str | None = option("The scorecard of the draft; default: made from its title."),
    publish: bool = flag("Publish it at once as the next version."),
) -> Output:
    """Read a scorecard from a file and keep it as a draft, or publish it."""
    from qa_core.quality import scorecards
    from qa_core.quality.scorecards import files

    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refusal(
            "no_such_file",
            "{file} cannot be read: {detail}",
            file=str(file),
            detail=error.strerror or str(error),
        ) from error
    made = files.import_file(Viewer.SYSTEM, file.name, content, key)
    version = None
    if publish:
        try:
            version = scorecards.publish(Viewer.SYSTEM, made, edition=1)
        except Refusal:
            scorecards.delete_draft(Viewer.SYSTEM, made)
            raise
    held = scorecards.get(Viewer.SYSTEM, made)
    yield {"id": held.id, "key": held.key, "version": version, "title": held.title}
    yield f"{held.key}  {_('draft') if version is None else version}  {held.title}"


@GRID.command("export")
def export_grid(
    key: str = argument("KEY"),
    file: Path = argument("FILE", "Its suffix is the format: .toml, .xlsx, .csv."),
    version: int | None = option("Default: the newest published one.", "N"),
) -> Lines:
    """Write a published version to a file, which `import` reads again."""
    from qa_core.quality import scorecards
    from qa_core.quality.scorecards import files

    form = file.suffix.lower().removeprefix(".")
    if form not in files.EXPORT_FORMATS:
        forms = " ".join(f".{form}" for form in files.EXPORT_FORMATS)
        message = N_("The name {file} must end in one of: {forms}.")
        raise Misuse("unknown_form", message, file=file.name, forms=forms)
    published = [held for held in scorecards.find_all(Viewer.SYSTEM) if not held.is_draft]
    versions = [held for held in published if held.key == key]
    chosen = next((held for held in versions if version in (None, held.version)), None)
    if chosen is None:
        known = ", ".join(f"{held.key} {held.version}" for held in published) or "–"
        raise Refusal(
            "unknown_grid", "This scorecard is not published. Published: {known}.", known=known
        )
    try:
        content = files.build_file(Viewer.SYSTEM, chosen.id, form).content
        environment.write_private(file, content, overwrite=True)
    except OSError as error:
        raise Refusal(
            "cannot_write",
            "{file} cannot be written: {detail}",
            file=str(file),
            detail=error.strerror or str(error),
        ) from error
    yield describe_done(file)
