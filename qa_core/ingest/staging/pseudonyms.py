"""Pseudonyms of customers: numbers are normalised to E.164, then hashed with a secret
key. No clear number or name of a customer goes any further.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import cache

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import environment, masking
from qa_core.base.masking import MASK
from qa_core.files.header_text import simplify
from qa_core.ingest.staging.arrays import map_texts
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.personal_data import ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS

KEY_LENGTH = 32
MIN_NUMBER_DIGITS = 6
"""Numbers of fewer digits are extensions, not customers."""
MIN_WHOLE_DIGITS = 8
"""A called number of fewer digits is the short number of a line."""
IDS = (*find_columns(CONTACTS, ColumnContent.CONTACT), "evaluation_id")
TEXTS = ("reason", "keyword", "landing_page")
"""Columns of rows into which tools and people write callers' numbers."""
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
MIN_SPELT_DIGITS = 9
_WITHHELD = list_words("withheld")
_SPELT = {text for word in _WITHHELD if len(text := word.translate(_KEYPAD)) >= MIN_SPELT_DIGITS}
"""Words for a withheld number as keys of a telephone: 266696687 is ANONYMOUS."""
MAX_CACHED_KEYS = 300_000
"""Maximum of cells whose keys are kept while a file is read: fifty megabytes, never written."""
_DECORATION = "[\\s\u00a0\u202f.\\-/()_]"
_BRACKETED = re.compile(r"<([^<>]*)>|\(([^()]*)\)\s*$")
_NOBODY = re.compile(r"^\+?(?:(\d)\1{5,}|0?123456789\d?|\d(?:[.,]\d+)?[eE]\+?\d+)$")
"""Placeholders for a number, and numbers that a spreadsheet has rounded."""
_MASKED = re.compile(r"[*•]{2}|^[\d\s+().-]*[xX#]{2}[\d\s().xX#-]*$")
"""Number or address with a hidden part: several customers share the rest."""
_ADDRESS = re.compile(r"^(?:sips?|tel):([^@;]+)", re.IGNORECASE)


class Pseudonyms:
    """Conversion of customer cells to keys; national numbers are of `country`."""

    def __init__(self, country: str, key: bytes) -> None:
        self.country, self.key = country, key
        size = hashlib.sha256().block_size
        block = (key if len(key) <= size else hashlib.sha256(key).digest()).ljust(size, b"\0")
        self._inner, self._outer = (
            hashlib.sha256(bytes(byte ^ mask for byte in block)) for mask in (0x36, 0x5C)
        )
        self._known: dict[str, str | None] = {}
        self._national = _build_national_pattern(country)

    @classmethod
    def current(cls, may_create: bool = True) -> Pseudonyms:
        """Load country and secret of this centre. A dry run may not create one: it uses another."""
        here = environment.current()
        if not may_create and not environment.has_secret("pseudonyms", here):
            return cls(here.country, secrets.token_bytes(environment.SECRET_BYTES))
        return cls(here.country, environment.secret("pseudonyms", here))

    def key_ids(self, ids: pa.Array) -> pa.Array:
        """Replace telephone numbers inside ids of contacts by keyed digests."""
        return map_texts(lambda text: masking.key_number(text, self.key), ids)

    def hide_numbers(self, table: pa.Table) -> pa.Table:
        """Replace telephone numbers and addresses inside of ids and texts of rows."""
        for name in table.column_names:
            cells = table.column(name).combine_chunks()
            if name in IDS:
                is_clear = pc.match_substring_regex(cells, masking.NUMBER_INSIDE)
                if not pc.any(is_clear).as_py():
                    continue
                cells = self.key_ids(cells)
            elif name in TEXTS:
                cells = map_texts(masking.mask_inside, cells)
            elif name == "queue" and "customer_key" in table.column_names:
                cells = self._hide_callers(cells, table.column("customer_key"))
            table = table.set_column(table.column_names.index(name), name, cells)
        return table

    def _hide_callers(self, queues: pa.Array, customers: pa.ChunkedArray) -> pa.Array:
        """Mask the number or address inside of a queue's name where it is the row's caller's;
        others are the centre's own.
        """

        def find_inside(text: str) -> str | None:
            inside = masking.find_contact_detail(text)
            return inside and self.find_key(inside)

        is_caller = pc.equal(map_texts(find_inside, queues), customers.combine_chunks())
        return pc.if_else(
            is_caller.fill_null(False), map_texts(masking.mask_inside, queues), queues
        )

    def find_key(self, text: str) -> str | None:
        """Find the key of one customer's number or id; None when withheld."""
        return self.find_keys(pa.array([text], pa.string()))[0].as_py()

    def find_keys(self, values: pa.Array) -> pa.Array:
        """Find the keys of cells (empty ones null); null where withheld."""
        encoded = values.dictionary_encode()
        return pc.take(self._find_unique(encoded.dictionary), encoded.indices)

    def _find_unique(self, texts: pa.Array) -> pa.Array:
        cached, cells = self._known, texts.to_pylist()
        new_cells = [text for text in cells if text not in cached]
        if len(cached) + len(new_cells) > MAX_CACHED_KEYS:
            cached.clear()
            new_cells = cells
        is_new = len(new_cells) == len(cells)
        keys = self._make_keys(texts if is_new else pa.array(new_cells, pa.string()), new_cells)
        cached.update(zip(new_cells, keys, strict=True))
        return pa.array(keys if is_new else [cached[text] for text in cells], pa.string())

    def _make_keys(self, texts: pa.Array, cells: list[str]) -> list[str | None]:
        numbers: list[str | None] = [None] * len(cells)
        if self._national:
            code, pattern = self._national
            bare = pc.replace_substring_regex(texts, _DECORATION, "")
            found = pc.struct_field(pc.extract_regex(bare, pattern), "n")
            numbers = pc.binary_join_element_wise(f"tel:+{code}", found, "").to_pylist()
        # HMAC-SHA256 (RFC 2104) from its two hashes: `hmac` takes twice as long for a copy.
        copy_inner, copy_outer, keys = self._inner.copy, self._outer.copy, []
        for number, text in zip(numbers, cells, strict=True):
            identity = number or self._find_identity(text)
            if identity is None:
                keys.append(None)
                continue
            inner, outer = copy_inner(), copy_outer()
            inner.update(identity.encode())
            outer.update(inner.digest())
            keys.append(outer.hexdigest()[:KEY_LENGTH])
        return keys

    def _find_identity(self, text: str) -> str | None:
        plain = text.strip()
        is_hidden = not plain or _NOBODY.match(plain) or _MASKED.search(plain)
        if is_hidden or simplify(text) in _WITHHELD or plain.lstrip("+") in _SPELT:
            return None
        number = find_number(text, self.country)
        return f"tel:{number}" if number else "id:" + " ".join(text.casefold().split())


_TELEPHONY = re.compile(r"(?:tel|sips?|callto):([^;@]+)(?:[;@].*)?", re.IGNORECASE)
_NOTE = re.compile(r"\s*\([^\d()]+\)\s*$")


def find_number(text: str, country: str) -> str | None:
    """Find the E.164 form of a possible phone number, else None. It may be an address of
    telephony (`tel:+33…`, `sip:06…@host`) and have a note in brackets (`06… (mobile)`).
    """
    if match := _TELEPHONY.fullmatch(text.strip()):
        text = match[1]
    text = _NOTE.sub("", text)
    if not re.fullmatch(r"\+?[\d\s\u00a0\u202f.\-/()]{6,24}", text.strip()):
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_possible_number(number)
        else None
    )


def normalise_numbers(values: pa.Array) -> pa.Array:
    """Normalise numbers of own lines to E.164 where complete: `01 23 45 67 89`, `+33123456789`."""
    country = environment.current().country

    def normalise(text: str) -> str:
        is_whole = sum(sign.isdigit() for sign in text) >= MIN_WHOLE_DIGITS
        return (find_number(text, country) if is_whole else None) or text

    return map_texts(normalise, values)


@cache
def _build_national_pattern(country: str) -> tuple[int, str] | None:
    """Build country code and pattern of national numbers as `phonenumbers` accepts: to
    parse a million takes twenty seconds. None where prefixes are not that simple.
    """
    code = phonenumbers.country_code_for_region(country)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None) if code else None
    if (
        metadata is None
        or metadata.international_prefix != "00"
        or metadata.national_prefix != "0"
        or metadata.national_prefix_for_parsing != "0"
    ):
        return None
    pattern = metadata.general_desc.national_number_pattern if metadata.general_desc else None
    return (code, rf"^(?:\+{code}|00{code}|0)(?P<n>{pattern})$") if pattern else None


def is_withheld(text: str) -> bool:
    return simplify(text) in _WITHHELD


def is_extension(text: str) -> bool:
    """Return whether a cell is the short number of an extension, or a technical channel."""
    return (text.isdigit() and len(text) < MIN_NUMBER_DIGITS) or "/" in text


def find_outside_number(text: str | None) -> str | None:
    """Find the number outside in a caller id, SIP address or cell; else None."""
    if not text:
        return None
    bracketed = _BRACKETED.search(text)
    inner = (bracketed[1] or bracketed[2] or "") if bracketed else ""
    plain = inner if any(letter.isdigit() for letter in inner) else text
    address = _ADDRESS.match(plain.strip())
    plain = (address[1] if address else plain).strip()
    if is_extension(plain) or sum(letter.isdigit() for letter in plain) < MIN_NUMBER_DIGITS:
        return None
    return plain


def mask_cell(text: str | None) -> str | None:
    """Mask an identity for the quarantine; an empty cell stays empty."""
    return MASK if text else text
