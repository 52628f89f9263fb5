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
def list_scorecards() -> Output:
    """List every draft and every published version, with the number of its evaluations."""
    from qa_core.quality import scorecards

    stored_scorecards = scorecards.find_all(Viewer.SYSTEM)
    yield [
        {
            **read_fields(stored, ("id", "key", "version", "title")),
            "published_at": stored.published_at and stored.published_at.isoformat(),
            **read_fields(stored, ("published_by", "evaluations")),
        }
        for stored in stored_scorecards
    ]
    for stored in stored_scorecards:
        state = _("draft") if stored.is_draft else _("version {version}", version=stored.version)
        yield f"{stored.key:24} {state:12} {stored.evaluations:6}  {stored.title}"
    if not stored_scorecards:
        yield _(
            "There is no scorecard yet. Import one: {command}",
            command="python -m qa_core grid import data/scorecards/customer_service.toml --publish",
        )


@GRID.command("import")
def import_scorecard(
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
    stored = scorecards.get(Viewer.SYSTEM, made)
    yield {"id": stored.id, "key": stored.key, "version": version, "title": stored.title}
    yield f"{stored.key}  {_('draft') if version is None else version}  {stored.title}"


@GRID.command("export")
def export_scorecard(
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
    published = [stored for stored in scorecards.find_all(Viewer.SYSTEM) if not stored.is_draft]
    versions = [stored for stored in published if stored.key == key]
    chosen = next((stored for stored in versions if version in (None, stored.version)), None)
    if chosen is None:
        known = ", ".join(f"{stored.key} {stored.version}" for stored in published) or "–"
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
