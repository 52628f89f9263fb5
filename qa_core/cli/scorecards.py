"""`grid`: scorecards from files, and published."""

from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal, build_unopened
from qa_core.base.i18n import _, uncapitalise
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Output
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
        state = (
            uncapitalise(_("Draft"))
            if stored.is_draft
            else _("version {version}", version=stored.version)
        )
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
        raise build_unopened(file, error) from error
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
    yield f"{stored.key}  {_('Draft') if version is None else version}  {stored.title}"
