"""Personal data in free text: detection and masking before storage (docs/compliance.md, R11)."""

import hmac
import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from stdnum import iban, luhn

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

MASK = "•••"
KINDS = {
    "phone": N_("phone number"),
    "email": N_("E-mail address"),
    "card": N_("payment card"),
    "iban": N_("account number"),
    "social_security": N_("social security number"),
    "birth": N_("date of birth"),
    "name": N_("Name"),
    "postal_address": N_("postal address"),
    "identity_document": N_("identity document, number plate or password"),
    "health": N_("health"),
    "belief": N_("religion, politics or union"),
    "private_life": N_("origin, family, justice or debts"),
}
MASKED_KINDS = ("phone", "email", "card", "iban", "social_security")
MIN_IBAN_LENGTH = 15

_LONG_NUMBER = r"(?:\+|\b)\d(?:[\s\x{00a0}\x{202f}().-]{0,2}\d){8,}"
"""Nine digits or more, separated or not: a date (2026-03-02) has eight."""
_ADDRESS = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
ADDRESS_IN_ID = r"\w@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"
"""E-mail address inside of an id, or an id of a protocol that is written like one."""

_PAIRS = "|".join(f"(?:{sign}[0-9]{{2}}){{4}}" for sign in ("", " ", r"\.", "-"))
CLEAR_NUMBER = rf"(?:\+[1-9](?:[ .-]?[0-9]){{8,13}}|00[1-9][0-9]{{8,13}}|0[1-9](?:{_PAIRS}))"
NUMBER_INSIDE = rf"(^|[^0-9A-Za-z.]){CLEAR_NUMBER}(_|\b)"
"""Telephone number that stands by itself inside of an id or a text."""
KEY_INSIDE = r"(^|[^0-9A-Za-z.])n[0-9a-f]{12}(_|\b)"
"""Digest of a number inside an id."""
DAY_IN_KEY = r"@\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$"
"""Suffix in the key of a contact whose tool uses ids again: its day, or its start."""
_ADDRESS_INSIDE = re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+")

_GAP = r"[\s\u00a0\u202f.\-]?"
# At most 64 characters before the @ (RFC 5321): without a bound, a long word would be
# scanned again from each of its letters.
_SPELLED_EMAIL = re.compile(
    r"\b[\w.+-]{1,64}(?:\s(?:at|arobase|chez)\s|\s?[\[(]\s?(?:at|arobase|@)\s?[\])]\s?)[\w-]+"
    r"(?:\s(?:dot|point)\s|\s?[\[(]\s?(?:dot|point|\.)\s?[\])]\s?|\.)[a-z]{2,}\b",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"[\w.+%-]{1,64}\s?(?:@|\(at\)|\[at\]|\barobase\b)\s?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}",
    re.IGNORECASE,
)
# Ranges that no operator has given out yet identify a person as well.
_SPOKEN_DIGIT = (
    r"z[ée]ro|un|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt|trente|"
    r"quarante|cinquante|soixante|oh|one|two|three|four|five|seven|eight|nine|double|triple|et"
)
_PHONE = re.compile(
    r"(?<![\w/.-])(?:0[1-9](?:[\s.\-/]?\d){8}|0[127](?:[\s.\-()]{0,2}\d){9}|(?:\+|00)\d{1,3}(?:[\s.\-()]{0,2}\d){7,12}|"
    r"\(?[2-9]\d{2}\)?[-.\s]\d{3}[-.\s]\d{4})(?![\w/])"
    rf"|\b(?:z[ée]ro|oh)(?:[\s,-]+(?:{_SPOKEN_DIGIT})){{5,}}",
    re.IGNORECASE,
)
_CARD = re.compile(rf"(?<![\d.,])\d(?:{_GAP}\d){{12,18}}(?![\d])")
_CARD_WORD = re.compile(r"\b(?:cartes?|cards?|cb|visa|mastercard)\b[^\d.]{0,20}$", re.IGNORECASE)
CARD_WORD_DISTANCE = 40
"""Characters before a number that are searched for a word such as "card"."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[\s\u00a0-]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
# Its check digits are not verified: a mistyped number identifies a person as well.
_SOCIAL_SECURITY = (
    re.compile(
        rf"(?<!\d)([12378]){_GAP}(\d{{2}}){_GAP}(0[1-9]|1[0-2]|"
        rf"[2-9]\d){_GAP}(\d[\dAB]){_GAP}(\d{{3}}){_GAP}(\d{{3}})(?:{_GAP}(\d{{2}}))?(?!\d)",
        re.IGNORECASE,
    ),
    re.compile(r"\b[A-Z]{2}[\s-]?\d{2}[\s-]?\d{2}[\s-]?\d{2}[\s-]?[A-D]\b", re.IGNORECASE),
    re.compile(
        r"\b\d{3}-\d{2}-\d{4}\b|(?i:\b(?:ssn|social\ssecurity)\b)\D{0,30}\d{3}\s?\d{2}\s?\d{4}\b"
    ),
)
_MONTHS = (
    r"jan(?:vier|uary|v)?|f[ée]v(?:rier|r)?|feb(?:ruary)?|mars|mar(?:ch)?|avr(?:il)?|"
    r"apr(?:il)?|mai|may|juin|june?|juil(?:let)?|july?|ao[ûu]t|aug(?:ust)?"
    r"|sept?(?:embre|ember)?|oct(?:obre|ober)?|nov(?:embre|ember)?|d[ée]c(?:embre|ember)?"
)
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}[/.\-\s]\d{{1,2}}[/.\-\s]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}"
    rf"|\d{{1,2}}(?:er|st|nd|rd|th)?[\s-](?:of\s)?(?:{_MONTHS})\.?,?[\s-]\d{{2,4}}"
    rf"|(?:{_MONTHS})\.?\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}})\b",
    re.IGNORECASE,
)
_BIRTH_WORD = re.compile(
    r"\b(?:n[ée]e?(?:\(e\))?\s(?:le|en|un|au|à)|n[ée]e?s?\s\d|naissance|vu\sle\sjour|ddn|anniversaire|"
    r"born|birth(?:day|date)?|d\.?o\.?b)\b",
    re.IGNORECASE,
)
_BIRTH_YEAR = re.compile(
    r"\b(?:n[ée]e?s?\s(?:en|le)|born\s(?:in|on))\s[^.!?]{0,20}?\b(?:19|20)\d{2}\b", re.IGNORECASE
)
BIRTH_WORD_DISTANCE = 45
"""Characters around a date that are searched for a word such as "born"."""
_STREET = (
    r"rue|r\.|avenue|av\.|boulevard|bd|bld|bvd|all[ée]es?|impasse|chemin|faubourg|fbg|r[ée]sidence|lotissement|"
    r"hameau|ruelle|sentier|venelle|imp\.|all\.|r[ée]s\.|ch\.|lot\."
)
_PLACE = (
    r"place|pl\.|sq\.|cours|quai|route|rte|square|passage|voie|villa|cit[ée]|mont[ée]e|"
    r"promenade|esplanade"
)
_ADDRESSES = (
    re.compile(
        rf"\b\d{{1,4}}(?:\s?(?:bis|ter|quater|[a-d]))?,?\s(?:(?:{_STREET})\s\w|(?:{_PLACE})\s(?:(?:de|du|des|de\sla|"
        r"de\sl|d|l|la|le|les)[\s'’])*(?-i:[A-ZÀ-Ý]))[^,.;\n]{0,30}",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b\d{1,5}[a-dA-D]?,?\s(?:[A-Z][\w'’-]+\s){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|"
        r"Court|Ct|Way|Terrace|Crescent|Place|Square|Gardens|Grove|Hill|Row|Mews|Walk|Parade|Boulevard|Blvd|"
        r"Highway|Rise|Green|Quay|Park)\b"
    ),
    re.compile(r"\b\d{1,5}\s(?:[a-z]+\.?\s){1,2}(?:street|road|avenue|lane|drive|crescent)\b"),
    re.compile(r"\b\d{1,4}\s(?:the|The)\s[A-Z][a-z]+\b"),
    re.compile(r"\b[A-Z]{1,2}\d[\dA-Z]?\s\d[A-Z]{2}\b"),
    re.compile(r"\b(?:lieu[\s-]dit|lieudit)\s\w+[^,.;]{0,20}", re.IGNORECASE),
)
_PARTICLES = r"(?:(?:de|du|des|la|le|van|von|der|di|da|el|al|ben|bin|d['’]|O['’])\s?)*"
_NOT_NAMES = (
    r"(?!(?:Monsieur|Madame|Mademoiselle|Figaro|Bricolage|Martens|Meuble|Pepper|Good|France|Cuisine|Propre|"
    r"Tout|Muscle|Bean|World|Oetker|Hauschka|Who|Right|Bien|Le|La|Les|Bonjour|Merci|Manager|Clean|Freeze)\b)"
)
_NAMES = (
    re.compile(
        r"\b(?:(?i:mr\.?|mrs\.?|ms\.?|mme|mlle|miss|messrs|dr\.?|docteur|doctor|prof(?:esseur|essor)?\.?|"
        r"monsieur|madame|mademoiselle|messieurs|mesdames|ma[îi]tre)|Pr|Sir|Lady|Lord|P[èe]re|S[oœ]ur)"
        r"\s+(?:and\sMrs\.?\s|et\sMme\s)?"
        rf"{_PARTICLES}{_NOT_NAMES}[A-ZÀ-Ý][\w'’-]+"
    ),
    re.compile(rf"\bM\.\s?{_PARTICLES}{_NOT_NAMES}[A-ZÀ-Ý][\w'’-]+"),
    re.compile(r"\bMe\s[A-ZÀ-Ý][\w'’-]+(?=,?\s(?:avocat|notaire|huissier|conseil))"),
    re.compile(
        r"\b(?:mr|mme|mlle|mrs|dr)\s(?!(?:le|la|les|un|une|qui|que|a|est|et|ou|ne|n|se|s|ce|y|en|ma|mais|pas|plus|"
        r"dit|veut|souhaite|demande|appelle|rappelle|avait|était|etait|the|is|was|who|has|and|or|au|aux|du|de|"
        r"très|tres|not|sera|doit|peut|pour|par|sur|avec|sans|client|cliente|insatisfait\w*|content\w*)\b)"
        r"(?:de\s|du\s|le\s)?[a-zà-ÿ'’-]{4,}"
    ),
    re.compile(
        r"(?i:\b(?:s['’]appelle|m['’]appelle|se\snomme|nomm[ée]e?|pr[ée]nomm[ée]e?|au\snom\sd[e'’]|sous\sle\snom\sde|"
        r"my\sname\sis|his\sname\sis|her\sname\sis|name\sof|name\sis|is\scalled|named|goes\sby|introduced\s(?:him|her)self\sas|se\spr[ée]sente\scomme|"
        r"signe|signed\sby|signé|this\sis|je\ssuis))\s?"
        r"(?:(?:M\.|Mr|Mme|Mrs|Miss|Ms)\s)?"
        rf"{_PARTICLES}[A-ZÀ-Ý][a-zà-ÿ'’-]+(?:\s{_PARTICLES}[A-ZÀ-Ý][\w'’-]+)+"
    ),
    re.compile(
        r"(?i:\b(?:s['’]appelle|m['’]appelle|se\spr[ée]nomme|my\sname\sis|(?:his|her)\s(?:sur)?name\sis))\s[A-ZÀ-Ý]\w+"
    ),
    re.compile(
        r"(?i:\b(?:nom\sde\sfamille|nom\sde\sjeune\sfille|maiden\sname|surname|last\sname)\W{1,3}(?:is\s|est\s|:\s?)?)[A-ZÀ-Ý]\w+"
    ),
)
_DOCUMENT_WORDS = (
    r"passeports?|passports?|(?-i:CNI)|cartes?\s(?:nationales?\s)?d['’]identit[ée]|pi[èe]ces?\sd['’]identit[ée]|"
    r"(?:id|identity)\s(?:card|document|number)|titres?\sde\ss[ée]jour|residence\spermit|permis(?:\sde\sconduire)?|"
    r"driv(?:ing|er'?s?)\slicen[cs]e|num[ée]ro\sfiscal|n[°o]\s?fiscal|(?:r[ée]f[ée]rence\s)?fiscale?|avis\sd['’]imposition|"
    r"(?-i:UTR|NIF|SPI)|tax\s(?:number|reference|ref|id|file|code)"
)
_PLATE_WORDS = (
    r"immatricul\w*|plaques?|plates?|v[ée]hicule|voiture|registration|reg|car|van|scooter|"
    r"moto|camionnette|clio|vehicle"
)
_SECRET_WORDS = (
    r"mots?\sde\spasse|mdp|passwords?|passcode|pwd|pass|identifiants?|logins?|log-in|user\s?names?|user\s?id|code\s(?:secret|"
    r"d['’]acc[èe]s|confidentiel)|(?-i:PIN)|pw|security\s(?:answer|word)|question\ssecr[èe]te|pseudo"
)
_SECRET = r"(?=\S*[A-Za-z])(?=\S*[\d_#!&*$%])[^\s,;:()]{5,}"
_DOCUMENTS = (
    re.compile(
        r"\b(?:(?:client|abonn[ée]|assur[ée]|contrat|customer)e?"
        r"\s(?:n[°o]\.?|num[ée]ro|number|no\.)|"
        r"(?:n[°o]\.?|num[ée]ro)\s?(?:de\s|d['’])?(?:client|abonn[ée]|assur[ée]|contrat)|"
        r"dossier\sclient)"
        r"\s?:?\s?[A-Z]{0,3}[\s-]?\d{4,}\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?i:{_DOCUMENT_WORDS})\b[^.!?\n]{{0,30}}?(?:\bno\.\s)?\b(?=\w*\d\w*\d)[A-Z\d]{{7,}}"
    ),
    re.compile(
        rf"\b(?:{_DOCUMENT_WORDS})\b[^.!?\n]{{0,30}}?\b(?=(?:[A-Z]*[\s.-]?\d){{3}})[A-Z\d][A-Z\d\s.-]{{5,}}",
        re.IGNORECASE,
    ),
    re.compile(r"\b[A-HJ-NP-TV-Z]{2}[-\s]?\d{3}[-\s]?[A-HJ-NP-TV-Z]{2}\b"),
    re.compile(r"\b[A-Z]{2}\d{2}\s?[A-Z]{3}\b"),
    re.compile(
        rf"(?i:\b(?:{_PLATE_WORDS})\b)[^.!?\n]{{0,25}}?\b(?:\d{{1,4}}[\s-]?[A-Z]{{2,3}}[\s-]?\d[\dAB]|[A-Z]\d{{1,3}}\s?[A-Z]{{3}}|[A-Z]{{3}}[\s-]\d{{3,4}})\b"
    ),
    re.compile(rf"\b(?:{_SECRET_WORDS})\b[^.!?\n]{{0,40}}?[\s:=\"«“']{_SECRET}", re.IGNORECASE),
    re.compile(
        r"\b(?:(?-i:PIN)|code\s(?:secret|confidentiel|d['’]acc[èe]s)|access\scode)\b\D{0,25}\d{4,8}\b",
        re.IGNORECASE,
    ),
)


_WORDS = {
    name: re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
    for name, words in tomllib.loads(
        Path(__file__).with_name("sensitive_words.toml").read_text(encoding="utf-8")
    ).items()
}
_NOT_ABOUT_PEOPLE = _WORDS.pop("not_about_people")


@dataclass(frozen=True)
class PersonalDataMatch:
    """Text from `start` to before `end` that looks like personal data of one of `KINDS`."""

    kind: str
    start: int
    end: int


def find_personal_data(text: str) -> list[PersonalDataMatch]:
    """Find what looks like personal data, in the order of the text.

    Where two matches overlap, the more exact kind wins.
    """
    matches: list[PersonalDataMatch] = []
    for match in _find_candidates(text):
        if all(match.end <= other.start or match.start >= other.end for other in matches):
            matches.append(match)
    return sorted(matches, key=lambda match: match.start)


def mask(text: str) -> str:
    """Replace phone numbers, addresses, cards, account and social security numbers by
    `MASK`; leave dates of birth and health to the writer.
    """
    for match in reversed(find_personal_data(text)):
        if match.kind in MASKED_KINDS:
            text = text[: match.start] + MASK + text[match.end :]
    return mask_contact_details(pa.array([text], pa.string()))[0].as_py()


def clean_text(text: str, limit: int, code: str, is_needed: bool = True) -> str:
    """Mask and strip what a person wrote. Refuse a longer text, and an empty one if needed."""
    text = mask(text).strip()
    if code == "no_reason" and is_needed and not text:
        raise Refusal(code, "Give a reason.")
    if len(text) > limit or (is_needed and not text):
        raise Refusal(code, "Write a text of 1 to {limit} characters.", limit=limit)
    return text


def mask_contact_details(texts: pa.Array) -> pa.Array:
    """Replace phone numbers, account numbers and e-mail addresses by `MASK` in a column
    (null stays null). Faster and coarser than `mask`.
    """
    for pattern in (_LONG_NUMBER, _ADDRESS):
        texts = pc.replace_substring_regex(texts, pattern, MASK)
    return texts


def mask_inside(text: str) -> str:
    """Replace telephone numbers and e-mail addresses inside of a name or an address of a page by
    `MASK`; other numbers, such as days and campaigns, stay.
    """
    text = re.sub(NUMBER_INSIDE, rf"\g<1>{MASK}\g<2>", text, flags=re.ASCII)
    return _ADDRESS_INSIDE.sub(MASK, text)


def has_number(text: str) -> bool:
    """Return whether a telephone number stands by itself inside of a text."""
    return re.search(NUMBER_INSIDE, text, re.ASCII) is not None


def find_contact_detail(text: str) -> str | None:
    """Find the first telephone number or e-mail address inside of a text."""
    found = re.search(NUMBER_INSIDE, text, re.ASCII)
    if found:
        return text[found.end(1) : found.start(2)]
    address = _ADDRESS_INSIDE.search(text)
    return address and address.group()


def key_number(text: str, key: bytes | None = None) -> str:
    """Replace telephone numbers inside an id of a contact by a keyed digest, another one for
    each id; a day in its key stays. `key`: default, the key of the pseudonyms.
    """
    if not has_number(text):
        return text
    key, day = key or environment.secret("pseudonyms"), re.search(DAY_IN_KEY, text)
    end = day.start() if day else len(text)
    number, day_in_key = text[:end], text[end:]
    digest = hmac.digest(key, f"in {number}".encode(), "sha256").hex()[:12]
    insert = lambda found: f"{found[1]}n{digest}{found[2]}"  # noqa: E731  templates are slower
    number = re.sub(NUMBER_INSIDE, insert, number, flags=re.ASCII)
    # Two numbers that share a separator are found one after the other.
    return key_number(number, key) + day_in_key


def is_keyed(text: str | None) -> bool:
    """Return whether an id holds the digest of a number."""
    return text is not None and re.search(KEY_INSIDE, text) is not None


def _find_candidates(text: str) -> Iterator[PersonalDataMatch]:
    import phonenumbers

    for match in itertools.chain(_EMAIL.finditer(text), _SPELLED_EMAIL.finditer(text)):
        yield PersonalDataMatch("email", *match.span())
    for match in _IBAN.finditer(text):
        if end := _find_iban_end(match.group()):
            yield PersonalDataMatch("iban", match.start(), match.start() + end)
    for match in itertools.chain(*(pattern.finditer(text) for pattern in _SOCIAL_SECURITY)):
        yield PersonalDataMatch("social_security", *match.span())
    for match in _CARD.finditer(text):
        # A mistyped card number is still masked where the words before it say "card".
        words_before = text[max(0, match.start() - CARD_WORD_DISTANCE) : match.start()]
        if _is_card(match.group()) or _CARD_WORD.search(words_before):
            yield PersonalDataMatch("card", *match.span())
    for match in phonenumbers.PhoneNumberMatcher(
        text, environment.current().country, leniency=phonenumbers.Leniency.VALID
    ):
        # An opening bracket without its closing one belongs to the sentence.
        number = match.raw_string
        bracket = number.startswith("(") and number.count("(") > number.count(")")
        yield PersonalDataMatch("phone", match.start + bracket, match.end)
    for match in _PHONE.finditer(text):
        yield PersonalDataMatch("phone", *match.span())
    for match in _DATE.finditer(text):
        around = text[
            max(0, match.start() - BIRTH_WORD_DISTANCE) : match.end() + BIRTH_WORD_DISTANCE
        ]
        if _BIRTH_WORD.search(around):
            yield PersonalDataMatch("birth", *match.span())
    for kind, patterns in (
        ("birth", (_BIRTH_YEAR,)),
        ("identity_document", _DOCUMENTS),
        ("postal_address", _ADDRESSES),
        ("name", _NAMES),
    ):
        for pattern in patterns:
            for match in pattern.finditer(text):
                yield PersonalDataMatch(kind, *match.span())
    others = [match.span() for match in _NOT_ABOUT_PEOPLE.finditer(text)]
    for kind, words in _WORDS.items():
        for match in words.finditer(text):
            if not any(start <= match.start() < end for start, end in others):
                yield PersonalDataMatch(kind, *match.span())


def _is_card(text: str) -> bool:
    """Check the digit of Luhn; payment cards begin with 2 to 6 (ISO/IEC 7812-1)."""
    digits = re.sub(r"\D", "", text)
    return digits[0] in "23456" and luhn.is_valid(digits)


def _find_iban_end(text: str) -> int | None:
    """Find where the account number at the start of the text ends; words may follow it."""
    ends = [match.end() for match in re.finditer(r"[A-Za-z0-9]", text)]
    return next(
        (
            end
            for end in ends[MIN_IBAN_LENGTH - 1 :]
            if iban.is_valid(text[:end], check_country=False)
        ),
        None,
    )
