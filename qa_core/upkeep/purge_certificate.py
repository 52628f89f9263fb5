"""Certificate of a purge as a file to download."""

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import _
from qa_core.compliance import retention
from qa_core.compliance.documents import printing
from qa_core.compliance.documents.blocks import Block, Grid, Paragraph
from qa_core.compliance.documents.rendering import RENDERERS
from qa_core.metrics import downloads
from qa_core.metrics.kpis import formatting
from qa_core.upkeep import purge


def build_file(viewer: Viewer, number: int, form: str) -> downloads.Download:
    certificate = next(
        (item for item in purge.find_certificates(viewer, limit=None) if item.number == number),
        None,
    )
    if certificate is None:
        raise AccessDenied()
    title = _("Certificate of deletion no. {number}", number=number)
    content = printing.render(title, _build_blocks(certificate), form)
    return downloads.Download(f"certificate-{number}.{form}", RENDERERS[form][0], content)


def _build_blocks(certificate: purge.Certificate) -> list[Block]:
    day = formatting.long_day
    rows = [
        (
            _(retention.TITLES[kind]),
            formatting.number(due.count),
            day(due.oldest),
            day(due.newest),
            day(due.since),
        )
        for kind, due in certificate.kinds.items()
    ]
    return [
        Paragraph(
            _(
                "The following data, past its retention on {day}, was deleted from every store. "
                "This certificate holds no content.",
                day=day(certificate.as_of),
            )
        ),
        Grid(
            (_("Data"), _("Number"), _("Oldest"), _("Newest"), _("Due since")),
            tuple(rows),
            (0.4, 0.12, 0.16, 0.16, 0.16),
        ),
        Grid(
            (),
            (
                (_("Finished on"), formatting.local_moment(certificate.finished_at)),
                (_("Started by"), certificate.actor),
                (_("Audit log row"), f"{certificate.seq} · {certificate.mac}"),
                (_("Signature"), certificate.signature),
                (
                    _("Signature checked today"),
                    _("genuine") if certificate.is_genuine else _("does not match"),
                ),
            ),
            (0.3, 0.7),
        ),
    ]


downloads.declare("purge_certificate", Permission.SEE_COMPLIANCE, build_file)
