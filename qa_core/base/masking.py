"""Personal data in what evaluators write (R11): found as they type, masked where it is
a number or an address by which somebody could be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
import pyarrow as pa

from qa_core.base import environment
from qa_core.base.contact_details import MASK, mask_contact_details
from qa_core.base.i18n import N_

KINDS = {
    "phone": N_("phone number"),
    "email": N_("e-mail address"),
    "card": N_("payment card"),
    "iban": N_("account number"),
    "social_security": N_("social security number"),
    "birth": N_("date of birth"),
    "health": N_("health"),
}

_GAP = r"[\s\u00a0\u202f.\-]?"
# At most 64 signs before the @ (RFC 5321): without a bound, a text of one long word
# would be read from each of its letters to its end.
_EMAIL = re.compile(
    r"[\w.+%-]{1,64}\s?(?:@|\(at\)|\[at\]|\barobase\b)\s?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}",
    re.IGNORECASE,
)
_CARD = re.compile(rf"(?<![\d.,])\d(?:{_GAP}\d){{12,18}}(?![\d])")
_CALLED_CARD = re.compile(r"\b(?:cartes?|cards?|cb|visa|mastercard)\b[^\d.]{0,20}$", re.IGNORECASE)
CALLED_WITHIN = 40
"""Characters before a number in which the word that makes it a card stands."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[\s\u00a0]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_IBAN_LENGTHS = {
    "FR": 27,
    "MC": 27,
    "BE": 16,
    "LU": 20,
    "CH": 21,
    "DE": 22,
    "GB": 22,
    "IE": 22,
    "ES": 24,
    "IT": 27,
    "NL": 18,
    "PT": 25,
    "AT": 20,
    "PL": 28,
}
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
    """Where a text seems to hold personal data: of which kind (one of `KINDS`), from
    which character until before which.
    """

    kind: str
    start: int
    end: int


def find_personal_data(text: str) -> list[PersonalDataMatch]:
    """What seems to be personal data, in the order of the text; where two overlap, the
    more exact one. Nothing is found inside what is masked already.
    """
    taken: list[PersonalDataMatch] = []
    for found in _look(text):
        if all(found.end <= other.start or found.start >= other.end for other in taken):
            taken.append(found)
    return sorted(taken, key=lambda found: found.start)


def mask(text: str) -> str:
    """The text without phone numbers, addresses, cards and account numbers; what else
    may be personal is for its writer to judge.
    """
    for found in reversed(
        [
            found
            for found in find_personal_data(text)
            if found.kind in ("phone", "email", "card", "iban", "social_security")
        ]
    ):
        text = text[: found.start] + MASK + text[found.end :]
    return mask_contact_details(pa.array([text], pa.string()))[0].as_py()


def _look(text: str) -> Iterator[PersonalDataMatch]:
    for match in _EMAIL.finditer(text):
        yield PersonalDataMatch("email", *match.span())
    for match in _IBAN.finditer(text):
        if length := _iban_length(match.group()):
            yield PersonalDataMatch("iban", match.start(), match.start() + length)
    for match in _SOCIAL_SECURITY.finditer(text):
        yield PersonalDataMatch("social_security", *match.span())
    for match in _CARD.finditer(text):
        # Misheard or mistyped it is a card all the same, where the words before say so.
        if _is_card(match.group()) or _CALLED_CARD.search(
            text[max(0, match.start() - CALLED_WITHIN) : match.start()]
        ):
            yield PersonalDataMatch("card", *match.span())
    for match in phonenumbers.PhoneNumberMatcher(
        text, environment.current().country, leniency=phonenumbers.Leniency.VALID
    ):
        opened = match.raw_string.startswith("(") and match.raw_string.count(
            "("
        ) > match.raw_string.count(")")  # the bracket is the sentence's
        yield PersonalDataMatch("phone", match.start + opened, match.end)
    for match in _BIRTH.finditer(text):
        yield PersonalDataMatch("birth", *match.span("day"))
    for match in _HEALTH.finditer(text):
        yield PersonalDataMatch("health", *match.span())


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_card(text: str) -> bool:
    """By its check digit (Luhn, ISO/IEC 7812-1); the first digit of payment cards is 2
    to 6.
    """
    digits = _digits(text)
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(
        value - 9 if value > 9 else value for value in doubled
    )
    return digits[0] in "23456" and total % 10 == 0


def _iban_length(text: str) -> int:
    """How many characters of the text are an account number, by the length that its
    country gives it and its remainder (ISO 13616); 0: none.
    """
    signs = [(place, sign.upper()) for place, sign in enumerate(text) if sign.isalnum()]
    wanted = _IBAN_LENGTHS.get(text[:2].upper(), len(signs))
    plain = "".join(sign for _place, sign in signs[:wanted])
    if (
        len(plain) < wanted
        or int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 != 1
    ):
        return 0
    return signs[wanted - 1][0] + 1
