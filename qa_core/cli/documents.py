"""`documents`: what the law wants in writing, printed from the configuration."""

from pathlib import Path

import typer

from qa_core.access.roles import Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _
from qa_core.cli.options import Json, add_family
from qa_core.cli.output import print_json


def register(app: typer.Typer) -> None:
    help_text = "Register, impact assessment and notices, from the configuration."
    commands = {"list": list_documents, "print": print_document}
    add_family(app, "documents", help_text, **commands)


def list_documents(as_json: Json = False) -> None:
    """List the documents with their version, what is missing, and when each was printed."""
    from qa_core.compliance.documents import printing

    found = printing.find_all(Viewer.SYSTEM)
    if as_json:
        print_json([item.as_json() for item in found])
        return
    for item in found:
        print(f"{item.kind.name}  {item.digest}  {_(item.kind.title)}")
        print("    " + printing.describe_state(item))
        if item.missing:
            print("    " + _("Missing: {titles}", titles=", ".join(item.missing)))


def print_document(
    name: str = typer.Argument(metavar="NAME", help="A name of `documents list`."),
    language: str | None = typer.Option(
        None, "--language", metavar="fr|en", help="Default: QA_LANGUAGE."
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="FILE",
        help="Its suffix, .pdf or .docx, gives the format. Default: NAME.pdf here.",
    ),
) -> None:
    """Print a document into a file that only its owner can read; an older file is replaced."""
    from qa_core.compliance.documents import printing

    out = out or Path(f"{name}.pdf")
    form = out.suffix.lower().removeprefix(".")
    if form not in printing.RENDERERS:
        raise Misuse(
            "unknown_format", N_("The name {file} must end in .pdf or .docx."), file=out.name
        )
    language = language or i18n.language()
    content = printing.print_document(Viewer.SYSTEM, name, language, form)
    environment.write_private(out, content, overwrite=True)
    print(_("Written to {file}.", file=out))
