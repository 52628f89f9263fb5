"""Words of files in French and English: yes and no, how a contact ended, its direction,
its channel; and cells that only look filled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.files.header_text import TICK, simplify
from qa_core.storage.schema import Direction, Outcome

_EMPTY = (
    "null",
    "none",
    "nan",
    "nat",
    "n/a",
    "na",
    "#n/a",
    "#na",
    "#ref!",
    "#value!",
    "#div/0!",
    "-",
    "--",
    "?",
    "\\n",
    "<na>",
    "nil",
    "(null)",
    "n.a.",
    "nd",
    "n/d",
    "n.d.",
    "nc",
    "n/c",
    "n.c.",
    "–",
    "—",
    "…",
    "...",
    "(vide)",
    "(blank)",
    "undefined",
    "#n/d",
    "#valeur!",
    "#nombre!",
    "#num!",
    "#nom?",
    "#name?",
    "#null!",
    "#nul!",
    "s/o",
    "s.o.",
)
EMPTY = tuple(
    spelling
    for word in _EMPTY
    for spelling in dict.fromkeys((word, word.upper(), word.capitalize(), word.title()))
)
EMPTY = (*dict.fromkeys(("", *EMPTY, "NaN", "NaT", "N/a")),)
_NON_ANSWERS = {
    "not answered",
    "not scored",
    "not rated",
    "not surveyed",
    "no answer",
    "no response",
    "unanswered",
    "non note",
    "non notee",
    "sans reponse",
    "pas de reponse",
    "non renseigne",
    "not available",
    "non evalue",
    "non evaluee",
    "sans note",
    "pas de note",
    "sans avis",
    "sans opinion",
    "ne se prononce pas",
    "nsp",
    "non concerne",
    "non applicable",
    "not applicable",
    "no rating",
    "no opinion",
}


_AS_TEXT = r"^(?:=\"([^\"]*)\"|'([-+=\d][^']*))$"
"""How spreadsheets keep a number as text: `="0042"`, `'0042`."""


@cache
def _empty_set() -> pa.Array:
    """Made when a file is read: Arrow loads pandas for its first array, which a known
    file need not wait for.
    """
    return pa.array(EMPTY, pa.string())


def clean_cells(column: list[str] | pa.Array) -> pa.Array:
    """Cells without the spaces around them; those that say nothing (empty, NULL, NaN …)
    become null.
    """
    cells = column if isinstance(column, pa.Array) else pa.array(column, pa.string())
    trimmed = pc.utf8_trim_whitespace(cells)
    if pc.any(pc.match_substring_regex(trimmed, _AS_TEXT)).as_py():
        trimmed = pc.replace_substring_regex(trimmed, _AS_TEXT, r"\1\2")
    return pc.if_else(
        pc.is_in(trimmed, value_set=_empty_set()), pa.scalar(None, pa.string()), trimmed
    )


def clear_non_answers(values: pa.Array) -> pa.Array:
    """The same, where words such as "not scored" stand for a mark, a number or a date
    that was not given.
    """
    # Letters come after digits, signs and capitals' A only: one comparison spares the
    # expression in nearly every column.
    if (
        not pc.any(pc.greater_equal(values, "A")).as_py()
        or not pc.any(pc.match_substring_regex(values, r"^\pL")).as_py()
    ):
        return values
    encoded = values.dictionary_encode()
    kept = pa.array(
        [
            None if simplify(text) in _NON_ANSWERS else text
            for text in encoded.dictionary.to_pylist()
        ],
        pa.string(),
    )
    return pc.take(kept, encoded.indices) if kept.null_count else values


def _index_words(words: Mapping[object, str]) -> dict[str, object]:
    return {
        simplify(word): value for value, spellings in words.items() for word in spellings.split("|")
    }


YES_NO = _index_words(
    {
        True: "y|yes|yep|oui|o|true|t|vrai|1|1.0|x|tick|ok|si|resolved|resolu|solved|closed|"
        "cloture|clos|done|completed|fixed|regle|traite|"
        "answered|repondu|sent|envoye|recorded|enregistre",
        False: "n|no|non|false|f|faux|0|0.0|cross|ko|unresolved|non resolu|not resolved|pas "
        "resolu|open|ouvert|pending|en cours|escalated|"
        "escalade|dropped|unsolved|not solved"
        "|unanswered|non repondu|not answered|not sent|non envoye|not recorded|failed|en "
        "attente|non regle|non traite|a rappeler|in progress",
    }
)

OUTCOMES = _index_words(
    {
        Outcome.ANSWERED: "answered|answer|repondu|repondue|decroche|decrochee|pris|prise|"
        "prise en charge|traite|traitee|handled|connected|"
        "complete|completed|completeagent|completecaller|agent"
        "|received|recu|transferred|transfere|transferee|success|succes|abouti|aboutie|served|"
        "processed|picked up|accepted|"
        "accepte|talked|appel repondu|call answered|call completed|servi|servie|traite "
        "agent|traite par agent|traite par conseiller|"
        "pris en charge|appel traite|appel pris|appel decroche|repondu agent|termine|terminee",
        Outcome.ABANDONED: "abandoned|abandon|abandonne|abandonnee|hang|hangup|hung up|hang "
        "up|raccroche|dropped|lost|perdu|perdue|"
        "abandoned in queue|caller hung up|abandon client|appel abandonne|call "
        "abandoned|cancel|cancelled|canceled|abandon file|abandon en file|"
        "abandon file d attente|abandon attente|abandon en attente|abandon sonnerie|abandon "
        "court|abandon appelant|abandonne en file|raccroche client|"
        "client raccroche|raccroche en attente",
        Outcome.TIMEOUT: "timeout|time out|timed out|exitwithtimeout|delai depasse|temps "
        "depasse|expired|expire",
        Outcome.OVERFLOW: "overflow|overflowed|debordement|deborde|redirected|reroute|reroutee|"
        "renvoi|renvoye|deflected|dissuasion|dissuade|dissuadee|debordee|"
        "saturation|"
        "renvoye externe|entraide",
        Outcome.VOICEMAIL: "voicemail|voice mail|messagerie|messagerie vocale|boite "
        "vocale|repondeur|message|renvoi messagerie|message vocal|depot "
        "message",
        Outcome.CLOSED: "closed|ferme|fermeture|out of opening hours|out of hours|after "
        "hours|hors horaires|hors horaire|hors ouverture|"
        "hors plage|hors plage horaire|hors plages horaires|hors horaires d ouverture|service "
        "ferme|centre ferme|fermee",
        Outcome.REFUSED: "refused|refuse|rejected|rejete|busy|occupe|declined|line busy|ligne "
        "occupee",
        Outcome.FAILED: "failed|fail|failure|echec|error|erreur|congestion|chanunavail|phantom|"
        "invalid|dead air|silent",
        Outcome.UNANSWERED: "unanswered|not answered|no answer|noanswer|non repondu|non "
        "repondue|sans reponse|pas de reponse|missed|manque|manquee|"
        "non decroche|non decrochee|appel manque|missed call|call unanswered"
        "|call missed|no reply|non abouti|non aboutie|ring no answer|unattended|non traite|non "
        "traitee|non pris|non prise|non servi|appel non repondu|"
        "appel non decroche",
    }
)

DIRECTIONS = _index_words(
    {
        Direction.INBOUND: "inbound|in|incoming|entrant|entrante|entrants|entree|recu|received|"
        "appel entrant|incoming call|inbound call|i|"
        "terminating|acd|queue",
        Direction.OUTBOUND: "outbound|out|outgoing|sortant|sortante|sortants|sortie|emis|made|"
        "appel sortant|outgoing call|outbound call|placed|"
        "originating|o|outbound api|outbound dial|dialed|callback|rappel",
        Direction.INTERNAL: "internal|interne|local|intra|appel interne|internal call",
    }
)
MISSED_DIRECTIONS = {
    simplify(word)
    for word in (
        "manque",
        "manquee",
        "missed",
        "appel manque",
        "missed call",
        "non repondu",
        "unanswered",
        "missed in",
    )
}

CHANNELS = _index_words(
    {
        "phone": "phone|telephone|tel|call|calls|call center|callcenter|call centre|call "
        "center phone|voice|voix|appel|appels|vocal|telephony|voip",
        "chat": "chat|live chat|tchat|messenger|webchat|web chat|messaging|whatsapp",
        "chatbot": "chatbot|bot|chat bot",
        "email": "email|e mail|mail|courriel|mel",
        "web": "web|web form|webform|formulaire|formulaire web|portal|portail|form|website|site",
        "sms": "sms|text|texto",
        "social": "social|social media|reseaux sociaux|facebook|twitter|instagram",
        "letter": "letter|courrier|lettre|post",
        "video": "video|visio|visioconference",
    }
)


@dataclass
class WordEvidence:
    """The words of one column, and how many are known."""

    field: str
    column: str
    known: Mapping[str, object]
    seen: Counter = field(default_factory=Counter)
    most: int = 2_000
    empty: int = 0

    def add(self, values: pa.Array) -> None:
        """Look at one batch of cells (empty ones null)."""
        self.empty += values.null_count
        for item in pc.value_counts(values.drop_null()).to_pylist():
            if item["values"] in self.seen or len(self.seen) < self.most:
                self.seen[item["values"]] += item["counts"]

    @property
    def total(self) -> int:
        return sum(self.seen.values())

    @property
    def unknown(self) -> Counter:
        return Counter(
            {word: count for word, count in self.seen.items() if simplify(word) not in self.known}
        )

    @property
    def known_share(self) -> float:
        return 1 - sum(self.unknown.values()) / self.total if self.total else 1.0

    @property
    def is_ticked(self) -> bool:
        """Whether the column holds ticks alone, or nothing: then nothing means no."""
        return bool(self.seen and self.empty) and all(
            simplify(word) in (TICK, "x") for word in self.seen
        )

    def show(self, most: int = 6) -> str:
        """The most frequent words, with their counts."""
        return ", ".join(f"{word} ({count})" for word, count in self.seen.most_common(most))


def read_words(values: pa.Array, known: Mapping[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """Cells (empty ones null) → what they mean (object array, None when missing), and
    which are not known.
    """
    encoded = values.dictionary_encode()
    meanings = [known.get(simplify(text)) for text in encoded.dictionary.to_pylist()]
    table = np.array([*meanings, None], object)
    unknown = np.array([meaning is None for meaning in meanings] + [False], bool)
    indices = pc.fill_null(encoded.indices, len(meanings)).to_numpy(zero_copy_only=False)
    return table[indices], unknown[indices]
