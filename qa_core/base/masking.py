"""Personal data in free text: detection and masking before storage (docs/compliance.md, R11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from stdnum import iban, luhn

from qa_core.base import environment
from qa_core.base.i18n import N_

MASK = "•••"
KINDS = {
    "phone": N_("phone number"),
    "email": N_("e-mail address"),
    "card": N_("payment card"),
    "iban": N_("account number"),
    "social_security": N_("social security number"),
    "birth": N_("date of birth"),
    "health": N_("health"),
}
MASKED_KINDS = ("phone", "email", "card", "iban", "social_security")
MIN_IBAN_LENGTH = 15

_LONG_NUMBER = r"(?:\+|\b)\d(?:[\s\x{00a0}\x{202f}().-]{0,2}\d){8,}"
"""Nine digits or more, separated or not: a date (2026-03-02) has eight."""
_ADDRESS = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"

_GAP = r"[\s\u00a0\u202f.\-]?"
# At most 64 characters before the @ (RFC 5321): without a bound, a long word would be
# scanned again from each of its letters.
_EMAIL = re.compile(
    r"[\w.+%-]{1,64}\s?(?:@|\(at\)|\[at\]|\barobase\b)\s?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}",
    re.IGNORECASE,
)
_CARD = re.compile(rf"(?<![\d.,])\d(?:{_GAP}\d){{12,18}}(?![\d])")
_CARD_WORD = re.compile(r"\b(?:cartes?|cards?|cb|visa|mastercard)\b[^\d.]{0,20}$", re.IGNORECASE)
CARD_WORD_DISTANCE = 40
"""Characters before a number that are searched for a word such as "card"."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[\s\u00a0]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
# Its check digits are not verified: a mistyped number identifies a person as well.
_SOCIAL_SECURITY = re.compile(
    rf"(?<!\d)([12378]){_GAP}(\d{{2}}){_GAP}(0[1-9]|1[0-2]|"
    rf"[2-9]\d){_GAP}(\d[\dAB]){_GAP}(\d{{3}}){_GAP}(\d{{3}})(?:{_GAP}(\d{{2}}))?(?!\d)",
    re.IGNORECASE,
)
_MONTHS = (
    r"jan(?:vier|uary|v)?|f[ée]v(?:rier|r)?|feb(?:ruary)?|mars|mar(?:ch)?|avr(?:il)?|"
    r"apr(?:il)?|mai|may|juin|june?|juil(?:let)?|july?|ao[ûu]t|aug(?:ust)?"
    r"|sept?(?:embre|ember)?|oct(?:obre|ober)?|nov(?:embre|ember)?|d[ée]c(?:embre|ember)?"
)
_DATE = (
    rf"(?:\d{{1,2}}[/.\-\s]\d{{1,2}}[/.\-\s]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}"
    rf"|\d{{1,2}}(?:er|st|nd|rd|th)?\s(?:{_MONTHS})\.?,?\s\d{{2,4}}|(?:{_MONTHS})\.?\s\d{{1,"
    rf"2}}(?:st|nd|rd|th)?,?\s\d{{4}})"
)
_BIRTH = re.compile(
    r"(?:\bn[ée]+(?:\(?e\)?)?\s(?:le\s|en\s)?|\bnaissance\b[^.\d]{0,20}|\bborn\s(?:on\s)?|"
    r"\bbirth(?:day|date)?\b[^.\d]{0,20}"
    rf"|\bd\.?o\.?b\.?[^.\d]{{0,12}}|\banniversaire\b[^.\d]{{0,20}})(?P<day>{_DATE})",
    re.IGNORECASE,
)
_HEALTH = re.compile(
    r"\b(?:"
    # French
    r"malad(?:e|es|ie|ies)|cancers?|canc[ée]r\w+|tumeurs?|chimio\w*|radioth[ée]rapie\w*|"
    r"diab[èe]t\w*|d[ée]press(?:ion|ions|if|ive|ifs|ives)|d[ée]prim[ée]e?s?|"
    r"burn[\s-]?out|grossesse\w*|enceinte|fausse[\s-]couche|hospitalis\w+|h[ôo]pita(?:l|ux)|"
    r"clinique|handicap\w*|invalidit[ée]|arr[êe]t\s(?:de\s)?(?:maladie|travail)|"
    r"ordonnances?\sm[ée]dicales?|m[ée]dicament\w*|traitements?\sm[ée]dica(?:l|ux)|"
    r"dossiers?\sm[ée]dica(?:l|ux)|certificats?\sm[ée]dica(?:l|ux)|op[ée]r[ée]e?s?\s(?:d[eu]|"
    r"du|des|[àa])\b|"
    r"chirurgi\w+|s[ée]ropositi\w+|(?-i:VIH)|sida|[ée]pilep\w+|alzheimer|parkinson|scl[ée]rose|"
    r"asthm\w+|allergi\w+|infarctus|(?-i:AVC)|cardiaque|alcooli\w+|toxicoman\w+|schizophr\w+|"
    r"bipolaire|"
    r"autis\w+|psychiatr\w+|psychologue|anxiolytiq\w+|antid[ée]presseu\w+|insuline|dialyse|"
    r"(?-i:ALD)|"
    # English
    r"illness\w*|sick(?:ness)?(?:\sleave)?|ill|disease\w*|tumou?rs?|chemo\w*|diabet\w+|"
    r"depress(?:ion|ed|ive)|pregnan\w+|miscarr\w+|hospitals?|hospitali[sz]\w+|disab(?:led|"
    r"ility|ilities)|"
    r"medications?|medical(?:ly)?|surger(?:y|ies)|hiv|(?-i:AIDS)|epilep\w+|sclerosis|"
    r"heart\sattack|strokes?|alcoholic\w*|addict(?:ed|ion)s?|schizo\w+|bipolar|"
    r"psychiatr\w+|psycholog(?:ist|ists)|antidepress\w+|insulin|dialysis|mental\shealth"
    r")\b",
    re.IGNORECASE,
)


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


def mask_contact_details(texts: pa.Array) -> pa.Array:
    """Replace phone numbers, account numbers and e-mail addresses by `MASK` in a column
    (null stays null). Faster and coarser than `mask`.
    """
    for pattern in (_LONG_NUMBER, _ADDRESS):
        texts = pc.replace_substring_regex(texts, pattern, MASK)
    return texts


def _find_candidates(text: str) -> Iterator[PersonalDataMatch]:
    for match in _EMAIL.finditer(text):
        yield PersonalDataMatch("email", *match.span())
    for match in _IBAN.finditer(text):
        if end := _find_iban_end(match.group()):
            yield PersonalDataMatch("iban", match.start(), match.start() + end)
    for match in _SOCIAL_SECURITY.finditer(text):
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
    for match in _BIRTH.finditer(text):
        yield PersonalDataMatch("birth", *match.span("day"))
    for match in _HEALTH.finditer(text):
        yield PersonalDataMatch("health", *match.span())


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
