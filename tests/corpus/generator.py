"""Lists of calls from a known truth, in random spellings: headers, words, flags, totals,
orders, languages, blanks, damaged ids.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

OUTCOMES = ("answered", "abandoned", "voicemail", "unanswered")
WORDS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "en": (
        ("Answered", "Abandoned", "Voicemail", "Missed"),
        ("ANSWERED", "ABANDON", "VOICEMAIL", "NO ANSWER"),
        ("Completed", "Abandoned", "Voicemail", "No answer"),
        ("handled", "hang up", "voice mail", "unanswered"),
        ("Answered by agent", "Abandoned in queue", "Voicemail", "Missed call"),
        ("OK1", "HUP", "VM", "NR"),
    ),
    "fr": (
        ("Répondu", "Abandonné", "Messagerie", "Non répondu"),
        ("Décroché", "Raccroché", "Répondeur", "Manqué"),
        ("Traité", "Abandon client", "Boîte vocale", "Sans réponse"),
    ),
    "es": (("Contestada", "Abandonada", "Buzón de voz", "Perdida"),),
    "pt": (("Atendida", "Abandonada", "Correio de voz", "Não atendida"),),
    "de": (("Angenommen", "Aufgelegt", "Anrufbeantworter", "Verpasst"),),
    "it": (("Risposta", "Abbandonata", "Segreteria", "Persa"),),
}
HEADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "id": ("Call ID", "callId", "call_id", "Interaction ID"),
        "start": ("Start time", "startedAt", "call_start", "Call started"),
        "queue": ("Queue", "skill", "Service"),
        "outcome": ("Outcome", "Call Status", "disposition", "Result"),
        "answered": ("Answered", "is_answered", "answered_flag", "Answered (Y/N)"),
        "missed": ("Missed", "is_missed", "Missed call"),
        "abandoned": ("Abandoned", "abandoned_flag", "is_abandoned"),
        "voicemail": ("Voicemail", "is_voicemail", "voicemail_flag"),
        "wait": ("Wait (s)", "wait_time", "Queue time", "Speed of answer (s)"),
        "talk": ("Talk (s)", "talk_time", "Talk duration", "talkSeconds"),
        "hold": ("Hold (s)", "hold_time"),
        "wrap": ("Wrap (s)", "ACW", "after call work"),
        "duration": ("Duration", "call_duration", "Total duration"),
        "handle": ("Handle time", "AHT"),
        "csat": ("Satisfaction (1-5)",),
    },
    "fr": {
        "id": ("N° appel", "Identifiant appel"),
        "start": ("Date et heure", "Début appel"),
        "queue": ("File d’attente", "Service"),
        "outcome": ("Statut", "Résultat appel"),
        "answered": ("Répondu", "Appel décroché"),
        "missed": ("Appel manqué", "Manqué"),
        "abandoned": ("Abandonné", "Appel abandonné"),
        "voicemail": ("Messagerie", "Répondeur"),
        "wait": ("Temps d’attente", "Durée attente"),
        "talk": ("Durée de conversation", "Temps de communication"),
        "hold": ("Mise en garde",),
        "wrap": ("Post-appel", "Durée post appel"),
        "duration": ("Durée", "Durée totale"),
        "handle": ("DMT", "Durée de traitement"),
        "csat": ("Note satisfaction (1-5)",),
    },
    "es": {
        "id": ("ID llamada",), "start": ("Fecha y hora",), "queue": ("Cola",),
        "outcome": ("Estado", "Resultado"), "answered": ("Contestada",), "missed": ("Perdida",),
        "abandoned": ("Abandonada",), "voicemail": ("Buzón de voz",),
        "wait": ("Tiempo de espera",), "talk": ("Tiempo de conversación",),
        "hold": ("Retención",), "wrap": ("Postllamada",), "duration": ("Duración",),
        "handle": ("TMO",), "csat": ("Satisfacción (1-5)",),
    },
    "pt": {
        "id": ("Protocolo",), "start": ("Data e hora",), "queue": ("Fila",),
        "outcome": ("Situação",), "answered": ("Atendida",), "missed": ("Perdida",),
        "abandoned": ("Abandonada",), "voicemail": ("Correio de voz",),
        "wait": ("Tempo de espera",), "talk": ("Tempo de conversa",), "hold": ("Retenção",),
        "wrap": ("Pós-atendimento",), "duration": ("Duração",), "handle": ("TMA",),
        "csat": ("Satisfação (1-5)",),
    },
    "de": {
        "id": ("Anruf-ID",), "start": ("Beginn",), "queue": ("Warteschlange",),
        "outcome": ("Ergebnis",), "answered": ("Angenommen",), "missed": ("Verpasst",),
        "abandoned": ("Aufgelegt",), "voicemail": ("Anrufbeantworter",), "wait": ("Wartezeit",),
        "talk": ("Gesprächsdauer",), "hold": ("Haltezeit",), "wrap": ("Nachbearbeitung",),
        "duration": ("Dauer",), "handle": ("Bearbeitungszeit",), "csat": ("Zufriedenheit (1-5)",),
    },
    "it": {
        "id": ("ID chiamata",), "start": ("Data e ora",), "queue": ("Coda",),
        "outcome": ("Esito",), "answered": ("Risposta",), "missed": ("Persa",),
        "abandoned": ("Abbandonata",), "voicemail": ("Segreteria",),
        "wait": ("Tempo di attesa",), "talk": ("Tempo di conversazione",),
        "hold": ("Messa in attesa",), "wrap": ("Post chiamata",), "duration": ("Durata",),
        "handle": ("Tempo di gestione",), "csat": ("Soddisfazione (1-5)",),
    },
}  # fmt: skip
YES_NO = {
    "en": (("Y", "N"), ("Yes", "No"), ("TRUE", "FALSE"), ("1", "0")),
    "fr": (("Oui", "Non"), ("1", "0"), ("VRAI", "FAUX")),
    "es": (("Sí", "No"), ("1", "0")), "pt": (("Sim", "Não"), ("1", "0")),
    "de": (("Ja", "Nein"), ("1", "0")), "it": (("Sì", "No"), ("1", "0")),
}  # fmt: skip
DIRECTIONS = {
    "en": ("Direction", (("Inbound", "Outbound"), ("incoming", "outgoing"), ("IN", "OUT"))),
    "fr": ("Sens", (("Entrant", "Sortant"), ("Appel entrant", "Appel sortant"))),
    "es": ("Sentido", (("Entrante", "Saliente"),)),
    "pt": ("Sentido", (("Recebida", "Efetuada"),)),
    "de": ("Richtung", (("Eingehend", "Ausgehend"),)),
    "it": ("Direzione", (("In entrata", "In uscita"),)),
}
FORMS = ("words", "answered", "missed", "abandoned", "flags", "flag_and_words", "nothing", "unread")
TIMES = ("talk", "talk_hold_wrap", "duration", "duration_with_wait", "handle", "handle_and_parts",
         "talk_with_hold")  # fmt: skip
DAYS = 20
DAMAGES = ("none", "blanks", "bad_values", "ids_by_day", "rounded_ids")


@dataclass(frozen=True)
class Call:
    """One call as it was."""

    number: int
    start: datetime
    outcome: str
    wait: int
    talk: int
    hold: int
    wrap: int
    csat: int | None
    is_inbound: bool = True


@dataclass
class GeneratedFile:
    """A file, the classes of its spelling, and what an import may make of it: sums of
    contacts by outcome and of seconds.
    """

    text: str
    classes: dict[str, str]
    calls: list[Call]
    hidden: set[int] = field(default_factory=set)
    """Numbers of calls of which a value is blank or damaged."""


def generate(seed: int) -> GeneratedFile:
    """Draw the truth and its spelling."""
    draw = random.Random(seed)
    rows = draw.choice((12, 30, 60, 250))
    per_day = -(-rows // DAYS)
    language = draw.choice(tuple(HEADERS))
    has_direction = draw.random() < 0.5
    calls = [_draw_call(draw, number, per_day) for number in range(rows)]
    if has_direction:
        calls = [replace(call, is_inbound=draw.random() < 0.7) for call in calls]
    classes = {
        "language": language,
        "form": draw.choice(FORMS),
        "times": draw.choice(TIMES),
        "damage": draw.choice(DAMAGES),
        "order": draw.choice(("ymd", "dmy", "mdy")),
        "clock": draw.choice(("s", "h:mm:ss", "ms", "min", "m:ss")),
        "direction": "words" if has_direction else "none",
    }
    names = {name: draw.choice(spellings) for name, spellings in HEADERS[language].items()}
    for name in ("wait", "talk", "hold", "wrap", "duration", "handle"):
        if classes["clock"] in ("ms", "min"):
            plain = names[name].removesuffix(" (s)").removesuffix("Seconds")
            names[name] = f"{plain} ({classes['clock']})"
        elif classes["clock"] != "s":
            names[name] = names[name].removesuffix(" (s)").removesuffix("Seconds")
    words = draw.choice(WORDS[language])
    yes_no = draw.choice(YES_NO[language])
    hidden: set[int] = set()
    columns: dict[str, Callable[[Call], str]] = {}
    if classes["damage"] == "ids_by_day":
        columns[names["id"]] = lambda call: str(call.number % per_day + 1)
    elif classes["damage"] == "rounded_ids":
        columns[names["id"]] = lambda call: "1.71E+12"
    else:
        columns[names["id"]] = lambda call: f"C{call.number:05d}"
    layout = {"ymd": "%Y-%m-%d", "dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}[classes["order"]]
    columns[names["start"]] = lambda call: call.start.strftime(f"{layout} %H:%M:%S")
    columns[names["queue"]] = lambda call: f"Queue {call.number % 3}"
    if has_direction:
        header, spellings = DIRECTIONS[language]
        inbound, outbound = draw.choice(spellings)
        columns[header] = lambda call: inbound if call.is_inbound else outbound
    _add_outcome(columns, classes["form"], names, words, yes_no)
    _add_times(columns, classes["times"], names, classes["clock"])
    columns[names["csat"]] = lambda call: "" if call.csat is None else str(call.csat)
    order = list(columns)
    draw.shuffle(order)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=draw.choice(",;\t"), lineterminator="\n")
    writer.writerow(order)
    times = [name for key, name in names.items() if key in ("wait", "talk") and name in columns]
    for call in calls:
        cells = {name: columns[name](call) for name in order}
        if times and classes["damage"] in ("blanks", "bad_values") and draw.random() < 0.05:
            cells[draw.choice(times)] = "" if classes["damage"] == "blanks" else "soon"
            hidden.add(call.number)
        writer.writerow(cells[name] for name in order)
    return GeneratedFile(out.getvalue(), classes, calls, hidden)


def _draw_call(draw: random.Random, number: int, per_day: int) -> Call:
    outcome = draw.choices(OUTCOMES, (70, 15, 5, 10))[0]
    is_answered = outcome == "answered"
    # Some calls a day, at growing times of day: counters may begin anew each day.
    start = datetime(2026, 3, 9, 8) + timedelta(
        days=number // per_day,
        minutes=40 * (number % per_day) + draw.randint(0, 30),
        seconds=draw.randint(0, 59),
    )
    return Call(
        number,
        start,
        outcome,
        draw.randint(1, 120),
        draw.randint(30, 900) if is_answered else 0,
        draw.randint(5, 60) if is_answered else 0,
        draw.randint(5, 90) if is_answered else 0,
        draw.randint(1, 5) if is_answered and draw.random() < 0.5 else None,
    )


def _add_outcome(
    columns: dict[str, Callable[[Call], str]],
    form: str,
    names: dict[str, str],
    words: tuple[str, str, str, str],
    yes_no: tuple[str, str],
) -> None:
    def flag(*outcomes: str) -> Callable[[Call], str]:
        return lambda call: yes_no[call.outcome not in outcomes]

    def word(call: Call) -> str:
        return words[OUTCOMES.index(call.outcome)]

    if form in ("words", "flag_and_words"):
        columns[names["outcome"]] = word
    if form in ("answered", "flags", "flag_and_words"):
        columns[names["answered"]] = flag("answered")
    if form == "missed":
        columns[names["missed"]] = flag("abandoned", "voicemail", "unanswered")
    if form in ("abandoned", "flags"):
        columns[names["abandoned"]] = flag("abandoned")
    if form in ("abandoned", "flags"):
        columns[names["voicemail"]] = flag("voicemail")
    if form == "unread":
        columns["What happened next"] = word


def _add_times(
    columns: dict[str, Callable[[Call], str]], times: str, names: dict[str, str], clock: str
) -> None:
    def show(seconds: int) -> str:
        if clock == "s":
            return str(seconds)
        if clock == "ms":
            return str(1_000 * seconds)
        if clock == "min":
            return f"{seconds / 60:.4f}"
        if clock == "m:ss":
            return f"{seconds // 60}:{seconds % 60:02d}"
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    parts = {
        "wait": lambda call: show(call.wait),
        "talk": lambda call: show(call.talk),
        "hold": lambda call: show(call.hold),
        "wrap": lambda call: show(call.wrap),
        "duration": lambda call: show(call.talk),
        "duration_with_wait": lambda call: show(call.wait + call.talk),
        "handle": lambda call: show(call.talk + call.hold + call.wrap),
        "talk_with_hold": lambda call: show(call.talk + call.hold),
    }
    chosen = {
        "talk": (("wait", "wait"), ("talk", "talk")),
        "talk_hold_wrap": (("wait", "wait"), ("talk", "talk"), ("hold", "hold"), ("wrap", "wrap")),
        "duration": (("wait", "wait"), ("duration", "duration")),
        "duration_with_wait": (("wait", "wait"), ("duration", "duration_with_wait")),
        "handle": (("wait", "wait"), ("handle", "handle"), ("hold", "hold"), ("wrap", "wrap")),
        "handle_and_parts": (
            ("wait", "wait"), ("talk", "talk"), ("hold", "hold"), ("wrap", "wrap"),
            ("handle", "handle"),
        ),
        "talk_with_hold": (
            ("wait", "wait"), ("talk", "talk_with_hold"), ("hold", "hold"), ("wrap", "wrap"),
            ("handle", "handle"),
        ),
    }[times]  # fmt: skip
    for name, part in chosen:
        columns[names[name]] = parts[part]
