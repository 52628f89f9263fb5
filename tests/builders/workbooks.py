"""Small workbooks of our own making in formats that no library of the project writes."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from xml.sax.saxutils import escape

Row = Sequence[str | float]

XLS = zlib.decompress(
    base64.b64decode(
        "eNrtWEtIVFEY/s6dGeeBj3HUSAO5CFmZgmWLEHS0KGmR2YseBDV6LyjzcLgzELooy1xGQauijWCLNlabHtSidi0CoxZBEGhBm1ZFQQud23/+e6a0JnAgheR+l/Pf//z/Od/573ndc+/LmcrZyXt1c/"
        "gNnfAgZwdRssgmKAXzmTDIb9tSzd8DlGwX/xWCARrIEh8el73wyzGU4z0HDXe9z0gC7ymdQhq9wylTX0Xs4hhiQsbQQVLgJlnKUctRRVgOsKxieYdLPmHZxZbLLDuo7Kw4iZlob9NONYuPaw3sK4fk"
        "fcB13rJlG2rwXM7i81eFU9aHbmsollgrjnpvKaZAI91jpkxL5tfjFnUhRggtyWSLYeiDg+3JZHsmM4tqmg5T+GbrwNf8un+qu/bVtQuQ/ftSu/8v9gCNZiF7sID9muYFxmCf4eU1QcvB8jpbQHc6bS"
        "Yy8zjAW7pMNGN2xxIJfZ8RAg5nY1ZWzw4lTXJ1pzJnTcs0SoEjsURcz5gDwykjQ0ytrTu20+w74ahtpPaG5BuEd5zwkh2njFdiKUkDFaxX8noMU+Pztz+/2t/fFz3NljEOx3kXbZQPABsXZA2qXM4e"
        "D0vpaeIaW1leZNYNrNexrKY1QffGvhql7B3nMpfY20jttDFeRzct0jeTPvHp4MP6iQ/RLaRP98yNVk+/iU6igTrZoPryGkezaBY3rks8iubvQu1b71jW/rGHBbSwit1WL9wKLCDEaiVLJyd7R/zMaa"
        "qvnJyHch7FJQpwCeaSveOh/pKxRnCUkBz92OX4JZ+P/Oc0mZN8XxSfVoBPY74SxSf7r4r5rig+jfn8ik9jPlmnU4vgvlRot/6FEFy4cOHChQsXLlysLASfIJ1TszwV+tSJ3K/+6yxQyrm/SdYsDmGY"
        "rix9Gu5Biu4WRoqaP+vgE3kuscw6+f+FEseodQtx9HMc8aLnL31RicXPs+yK4X+3hIptP1dMnCvc/g89qvTu"
    )
)
"""Sheet `Appels`: Call Id, Start time, Answered, Talk seconds; 0042 on 13 January 2026
at 10:00, Y, 60; 0043 on 14 January at 11:30, N, 0.
"""


def make_ods(rows: Sequence[Row]) -> bytes:
    """An OpenDocument spreadsheet of one sheet."""
    cells = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    body = (
        "<office:body><office:spreadsheet><table:table "
        f'table:name="Appels">{cells}</table:table></office:spreadsheet></office:body>'
    )
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    return _pack(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": '<?xml version="1.0"?><manifest:manifest '
            f'xmlns:manifest="{manifest}"/>',
            "content.xml": '<?xml version="1.0"?><office:document-content '
            f"{names}>{body}</office:document-content>",
        }
    )


def _ods_cell(value: str | float) -> str:
    kind = (
        'office:value-type="string"'
        if isinstance(value, str)
        else f'office:value-type="float" office:value="{value}"'
    )
    return f"<table:table-cell {kind}><text:p>{escape(str(value))}</text:p></table:table-cell>"


def make_xlsb(rows: Sequence[Row]) -> bytes:
    """A binary workbook of one sheet, record by record ([MS-XLSB])."""
    names = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Appels")
    book = b"".join((_record(131), _record(143), _record(156, names), _record(144), _record(132)))
    sheet = (
        _record(129)
        + _record(148, struct.pack("<4I", 0, len(rows) - 1, 0, len(rows[0]) - 1))
        + _record(145)
    )
    for number, row in enumerate(rows):
        sheet += _record(0, struct.pack("<I", number) + bytes(13))
        for place, value in enumerate(row):
            head = struct.pack("<II", place, 0)
            sheet += (
                _record(6, head + _wide(value))
                if isinstance(value, str)
                else _record(5, head + struct.pack("<d", value))
            )
    sheet += _record(146) + _record(130)
    schema = "http://schemas.openxmlformats.org"
    link = (
        '<Relationship Id="rId1" '
        f'Type="{schema}/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.bin"/>'
    )
    return _pack(
        {
            "[Content_Types].xml": '<?xml version="1.0"?><Types '
            f'xmlns="{schema}/package/2006/content-types"/>',
            "xl/_rels/workbook.bin.rels": '<?xml version="1.0"?><Relationships '
            f'xmlns="{schema}/package/2006/relationships">{link}</Relationships>',
            "xl/workbook.bin": book,
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def _record(kind: int, data: bytes = b"") -> bytes:
    size, rest = b"", len(data)
    while True:
        part, rest = rest & 0x7F, rest >> 7
        size += bytes([part | (0x80 if rest else 0)])
        if not rest:
            break
    return (bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])) + size + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _pack(files: dict[str, str | bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()
