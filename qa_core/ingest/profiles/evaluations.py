"""Evaluation sheets: long (a row per criterion), wide (a column each), or one mark."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.compliance.conditions.evaluators import refuse_emotions
from qa_core.files.decision import SET_BY_PERSON
from qa_core.files.header_text import separate_words, simplify
from qa_core.files.options import parse_scale
from qa_core.ingest.columns.column_inference import (
    ANSWER_NUMBERS,
    FileContext,
    RowBatch,
    says_best_first,
)
from qa_core.ingest.columns.header_matching import (
    BESIDE_CONTACT,
    COUNTS,
    build_vocabulary,
    find_field,
    name_field,
    parse_header,
    refuse_missing_column,
)
from qa_core.ingest.columns.numbers import NumberEvidence, NumberReading
from qa_core.ingest.columns.vocabulary import ANSWERS
from qa_core.ingest.profiles import contacts
from qa_core.ingest.profiles.starts import build_moment
from qa_core.ingest.staging.arrays import as_moments, as_numbers, to_numpy
from qa_core.ingest.staging.declaration import (
    Column,
    Field,
    Header,
    Profile,
    ValueType,
    build_fields,
)
from qa_core.ingest.words.tables import build_pattern, list_words

FIELDS = build_fields("evaluations")
_TEXTS = ("evaluation_id", "contact_id", "advisor", "evaluator", "grid", "comment", "tags")


_SMALL_SCALES = (1, 2, 5, 10)
USUAL_MAXIMA = (*_SMALL_SCALES, 20, 25, 50, 100)
"""Greatest marks of the scales that a column of marks may leave unstated."""
ALL_CRITERIA = "criteria"
"""Name of all criteria whose maximum nothing states, in an option."""
_PERSONAL = r"^\+?[\d .()/-]{8,}$|@|^\d(?:[.,]\d+)?[eE]\+?\d+$"
"""Phone numbers and addresses, which are never marks."""
_MAX_ROWS = 0.95
_WEIGHT = re.compile(r"\b(?:weights?|weighting|poids|ponderation|coef\w*|gewicht\w*|peso|weging)\b")
_WEIGHED = re.compile(
    r"\b(?:weights?|weighting|poids|pond[ée]ration|coeff?(?:icient)?\.?|gewicht\w*|peso|weging)"
    r"\s*[:=]?\s*(\d+(?:[.,]\d+)?)|(?:[(\[]|\s)\s*(\d+(?:[.,]\d+)?)\s*%\s*(?:[)\]]|$)",
    re.IGNORECASE,
)
"""Weight in the header of a criterion."""
_WEIGHTS_ABOVE = re.compile(
    r"(?i)(?:(?:^|\s)(?:(?:coeff?(?:icient)?\.?|poids|weight|gewicht|peso) ?[:=]? ?)?"
    r"\d{1,3}(?:[.,]\d+)?(?: ?%)?){2,}$"
)
"""Line of numbers above the headers."""
_FAULTS = list_words("faults")
"""Words in the header of a criterion whose yes is the bad answer."""
_FATAL = re.compile(
    r"\bfatal|[ée]liminatoire|\bauto[ -]?fail|\bknock[ -]?out\b|\bcritical (?:error|fail)|"
    r"\b(?:erreur|faute)s? (?:critique|grave)|\bkritischer? fehler|\berro(?:r|re)? cr[ií]tic|"
    r"[(\[](?:critical|critique|kritisch|cr[ií]tic[oa]|ko|k\.o\.)[)\]]",
    re.IGNORECASE,
)
"""Header of a criterion that fails an evaluation by itself."""
_TOTAL = re.compile(
    r"^(?:grand |sous |sub ?|zwischen)?(?:tota(?:l|ux|le|al)|summe|somme|suma)\b|"
    r"\b(?:sub|zwischen)?(?:total|summe)$"
)
_SUM = re.compile(
    r"\b(?:grand|general|sous|sub|zwischen|\w*(?:tota(?:l|ux|le|al)s?|summe|suma|somme))\b"
)
_PART = re.compile(r"\b(?:sub|sous|zwischen|parcial|parziale)")
"""Headers of sums of criteria, and the beginning of a sum of one section."""
_MEAN = build_pattern("average")
_EARLIER = re.compile(
    r"^(?:initial|original|raw|first|brute?|vorlaufige\w*) | (?:brute?|initiale?|"
    r"(?:before|avant|hors|vor|ohne|without|prima|senza|antes|sin|sem|voor|zonder)\b.*)$"
)
"""Beginning or end of the header of a score that another one replaces."""
_ADDED = list_words("added_points")
_REMARK = re.compile(r"\b(?:[ck]omm?ent|remar[kq]|bemerk|opmerk)")
_NO_CRITERIA = list_words("no_criteria")
_OWN_VIEW = re.compile(r"\b(?:auto|self|selbst|zelf) ?(?:e?valua|assess|review|bewert|note)")
_MAXIMA = list_words("maxima")
_IN_BRACKETS = re.compile(r"\w \((\d{1,3})\)$")
_OTHER_EVALUATIONS = list_words("other_evaluations")
_PER_CENT = re.compile(r"[^\d\s]\s*%\)?$")
"""Header of marks in per cent, not of a weight: `Opening %`, `Opening (%)`."""
_NUMBER = r"^\d+(?:\.\d+)?$"
_SMALL_NUMBER = re.compile(r"\d{1,2}(?: \d+)?")
_POSSIBLE = next(item for item in FIELDS if item.name == "possible")
_LIKE_CRITERIA = (
    "csat", "reason", "outcome", "declared_resolved", "direction", "answered", "hold_seconds",
    "wrap_seconds", "customer_objected",
)  # fmt: skip
"""Fields of a contact whose headers a criterion may well have."""


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Use columns as criteria that neither a field nor a list of contacts has."""
    vocabulary = build_vocabulary(
        tuple(field for field in contacts.FIELDS if field.name not in _LIKE_CRITERIA)
    )
    if "criterion" not in columns and "score" not in columns and "points" in columns:
        points = columns.pop("points")  # without a maximum beside, a criterion called Answer
        if "possible" in columns:
            columns["score"] = replace(points, field=PROFILE.get_field("score"))
    used = {column.index for column in columns.values()}
    if "criterion" not in columns and {"score", "points"} <= columns.keys():
        if columns["points"].header.out_of:  # `Answer /5` beside a score is a criterion
            used.discard(columns["points"].index)
        for name in {"points", "possible"} & columns.keys():  # the sums behind the score
            del columns[name]
    parsed = [*enumerate(map(parse_header, headers))]
    sums = [pair for pair in parsed if _TOTAL.search(pair[1].words) and pair[0] not in used]
    for index, header in sums:
        is_whole = not _PART.search(header.words) and find_field(header, vocabulary) is None
        if is_whole and not {"score", "criterion"} & columns.keys():
            columns["score"] = Column(PROFILE.get_field("score"), index, header)
            used.add(index)
    for index, header in () if "criterion" in columns else parsed:
        text, hit = header.text, find_field(header, vocabulary)
        if (
            text
            and index not in used
            and text not in columns
            and (
                hit is None
                or hit[1] == BESIDE_CONTACT  # Call wrap-up is a criterion.
                or header.out_of
                or header.scale
                or _WEIGHED.search(separate_words(text))
            )
            and not _is_no_criterion(header)
        ):
            columns[text] = Column(Field(text, ValueType.CRITERION), index, header)


def _is_no_criterion(header: Header) -> bool:
    """Return whether a header is of another score, a sum, a weight, a target or a number."""
    is_weight = _WEIGHT.match(header.words) and not _WEIGHED.search(separate_words(header.text))
    words = header.words.removesuffix(" %").split()
    is_mean = not header.out_of and any(map(_MEAN.fullmatch, (*words[:1], *words[-1:])))
    return (
        name_field(_EARLIER.sub("", header.words), FIELDS) == "score"
        or header.words in _NO_CRITERIA
        or header.words in _OTHER_EVALUATIONS
        or header.words.partition(" ")[0] in COUNTS
        or bool(is_weight)
        or is_mean
        or not any(map(str.isalnum, header.words))
        or any(pattern.search(header.words) for pattern in (_TOTAL, _REMARK, _OWN_VIEW))
    )


def find_criteria(context: FileContext) -> list[str]:
    """Find the criteria that a wide sheet has as columns."""
    return [
        name
        for name, column in context.columns.items()
        if column.field.value_type == ValueType.CRITERION
    ]


def decide_columns(context: FileContext) -> None:
    """Decide which form the file has, and the greatest mark of each criterion."""
    refuse_emotions(context.headers)
    if not context.has("evaluator") or _are_marks(context, "evaluator"):
        raise refuse_missing_column("missing_column", "evaluations", context.headers, "evaluator")
    context.drop_empty("evaluated_at")
    texts = {context.columns[name].index for name in _TEXTS if context.has(name)}
    context.require_counted("other_evaluations", _OTHER_EVALUATIONS, texts)
    if context.has("criterion"):
        _decide_long(context)
        return
    _decide_criteria(context)
    criteria = find_criteria(context)
    is_verdict = len(criteria) == 1 and criteria[0] in context.notes.get("yes_no", ())
    if is_verdict and context.is_open(criteria[0]) and not context.has("score"):
        criteria = []  # passed or failed is no score
    if criteria and (not context.has("score") or _is_their_total(context, criteria)):
        context.notes["form"] = "wide"
        if context.has("score"):
            context.drop_replaced("score", *criteria)
        _require_additive(context, criteria)
        _require_unweighted(context)
        return
    for name in criteria:
        context.drop_replaced(name, "score")
    if not context.has("score"):
        raise refuse_missing_column(
            "missing_column", "evaluations", context.headers, "score", "criterion"
        )
    context.notes["form"] = "score"
    if context.notes.get("is_open_score"):
        context.decide_numbers("score", context.columns["score"], context.evidence["score"])
    _require_one_score(context)
    _require_unweighted(context)


def _are_marks(context: FileContext, name: str) -> bool:
    """Return whether a column holds small numbers or yes and no, and nothing else."""
    words = {*map(simplify, context.sample_cells(context.columns[name].index).to_pylist())}
    others = (word for word in words - ANSWER_NUMBERS.keys() if not _SMALL_NUMBER.fullmatch(word))
    return bool(words) and not any(others)


def _require_one_score(context: FileContext) -> None:
    """Raise Refusal where another column of scores is not the same on another scale."""
    sample = context.take_sample()
    marks = sample.read_number("score")
    for index, text in context.find_unused() if context.is_open("score") else ():
        if name_field(text, FIELDS) != "score":
            continue
        others = NumberReading(context.readings["score"].decimal).read(sample.cells[index])[0]
        is_both = (marks > 0) & ~np.isnan(others)
        ratios = others[is_both] / marks[is_both]
        if len(ratios) and np.ptp(ratios) > 0.02 * np.abs(ratios).max():
            raise context.refuse(
                "two_scores",
                "{column} and {other} are two scores. Name the one that counts.",
                "score",
                "--map score={column}",
                f"--map score={text}",
                other=text,
            )


def _require_additive(context: FileContext, names: Iterable[str]) -> None:
    """Raise Refusal for a column that fails an evaluation, or takes points off."""
    for name in names:
        is_named = name in context.options.columns or context.options.is_stated
        is_fault = any(f" {fault} " in f" {simplify(name)} " for fault in _FAULTS)
        is_fault &= name in context.notes.get("yes_no", ()) or not parse_header(name).out_of
        if (_FATAL.search(separate_words(name)) or is_fault or _is_added(name)) and not is_named:
            raise _refuse_taken_off(name, f"--map {name}={name}")


def _is_added(header: str) -> bool:
    """Return whether a header begins or ends with a bonus or a penalty."""
    words = parse_header(header).words.split()
    return not _ADDED.isdisjoint((*words[:1], *words[-1:]))


def _refuse_taken_off(column: str, *options: str) -> Refusal:
    return Refusal(
        "points_taken_off",
        "{column} may fail an evaluation, or add or take off points. Scores would be computed "
        "without that. Import the score of each evaluation, or leave the column aside.",
        options=(f"--map ignore={column}", *options),
        column=column,
    )


def _decide_criteria(context: FileContext) -> None:
    """Decide which columns are criteria, and their maxima. Raises Refusal for an unclear one."""
    possible = context.notes.setdefault("possible", {})
    without_maximum, shares = [], []
    maxima = _find_maxima(context)
    stated = context.options.scales.get(ALL_CRITERIA)
    for name in find_criteria(context):
        evidence, header = context.evidence[name], context.columns[name].header
        is_asked = name in context.options.columns or name in context.options.scales
        is_personal = context.compute_share(context.columns[name].index, _PERSONAL) > 0.5
        if evidence.negative and not (is_personal or is_asked or context.options.is_stated):
            raise _refuse_taken_off(header.text)
        if not evidence.total or evidence.negative or (is_personal and not is_asked):
            context.leave_aside(name)
        elif name in context.notes.get("yes_no", ()):
            possible[name] = most = header.out_of or 1.0
            context.readings[name] = NumberReading(low=0, high=most, factor=most)
            context.decide(name, "yes is all points of the criterion, no is none", f"/ {most:g}")
        elif name in maxima and not is_asked:
            possible[name] = maxima[name]
            context.readings[name] = NumberReading(context.readings[name].decimal, 0, maxima[name])
            context.decide(name, "out of {possible}", possible=f"{maxima[name]:g}")
        elif evidence.has_own_maxima and not is_asked:
            possible[name] = np.nan
        elif (
            header.out_of
            or header.scale
            or len(evidence.denominators) == 1
            or {name, header.text} & set(context.options.scales)
        ):
            scale = header.scale and (stated or header.scale)
            is_set = is_asked or stated or context.options.is_stated
            if scale and not is_set and any(map(says_best_first, context.headers)):
                raise context.refuse_reversed(ALL_CRITERIA, context.columns[name])
            possible[name] = _decide_possible(context, name, header.out_of, scale)
        elif _are_per_cent(header, evidence) and not stated:
            shares.append(name)  # of sections, perhaps
            possible[name] = _decide_possible(context, name, 100, None)
        else:
            without_maximum.append(name)
    if shares and len(shares) < len(find_criteria(context)) and not context.has("score"):
        options = (*(f"--map ignore={name}" for name in shares), f"--scale {shares[0]}=0-100")
        raise _refuse_unclear(shares, *options)
    highest = {name: context.evidence[name].highest for name in without_maximum}
    if not highest:
        _weigh_criteria(context)
        return
    common = max(highest.values())
    is_usual = common in _SMALL_SCALES and len(set(highest.values())) == 1
    is_usual &= not any(context.evidence[name].denominators for name in without_maximum)
    stated = stated or (None if is_usual else _find_confirmed(context, highest))
    if not stated and not is_usual:
        doubtful = [name for name in without_maximum if highest[name] != 1] or without_maximum
        share = _find_total_maximum(context) / len(without_maximum)
        scales = _list_scales(ALL_CRITERIA, common, share)
        others = max((mark for mark in highest.values() if mark < common), default=common)
        odd = [name for name in doubtful if highest[name] == common > 2 * others]
        raise _refuse_unclear(doubtful, *scales, *(f"--map ignore={name}" for name in odd[:1]))
    for name in without_maximum:
        possible[name] = _decide_possible(context, name, None, stated)
    _weigh_criteria(context)


def _are_per_cent(header: Header, evidence: NumberEvidence) -> bool:
    """Return whether all marks have the sign, or their header, and are no shares of one."""
    if _PER_CENT.search(header.text):
        return evidence.highest > 1
    return 0 < evidence.percents == evidence.total - evidence.unreadable


def _weigh_criteria(context: FileContext) -> None:
    """Weigh criteria as their headers say: `Greeting (weight 20%)`. Raises Refusal where some
    headers do not say it.
    """
    criteria, possible = find_criteria(context), context.notes["possible"]
    found = {
        name: _WEIGHED.search(separate_words(context.columns[name].header.text))
        for name in criteria
    }
    weights = {
        name: float((match[1] or match[2]).replace(",", "."))
        for name, match in found.items()
        if match
    }
    if weights and (len(weights) < len(criteria) or np.isnan([*possible.values()]).any()):
        name = next(iter(weights))
        raise _refuse_weights(name, f"--map ignore={name}")
    above = next(filter(_WEIGHTS_ABOVE.search, context.notes["beside"]), None)
    if above and not weights and not context.options.is_stated:
        raise _refuse_weights(above)
    for name, weight in weights.items():
        reading, factor = context.readings[name], weight / possible[name]
        low = (reading.low or 0) * factor
        context.readings[name] = replace(
            reading, low=low, high=weight, factor=reading.factor * factor
        )
        possible[name] = weight
        context.decide(name, "out of {possible}", possible=f"{weight:g}")


def _find_maxima(context: FileContext) -> dict[str, float]:
    """Find the maximum of each criterion in a row that is named so, or in the brackets of all
    headers where marks come near it: `Greeting (5)`.
    """
    sample = context.take_sample()
    for name in ("evaluation_id", "contact_id", "advisor"):
        for row in np.flatnonzero(_name_maxima(sample, name)):
            marks = {item: sample.read_number(item) for item in find_criteria(context)}
            marks = {item: values for item, values in marks.items() if not np.isnan(values).all()}
            numbers = {item: values[row] for item, values in marks.items()}
            label = sample.read_text(name)[int(row)].as_py()
            greatest = {
                item: np.nanmax(np.delete(values, row), initial=-np.inf)
                for item, values in marks.items()
            }
            stated = {item: context.columns[item].header.out_of for item in marks}
            is_exceeded = any(
                greatest[item] > number or stated[item] not in (None, number)
                for item, number in numbers.items()
            )
            are_alike = len(set(greatest.values())) == 1 < len(set(numbers.values()))
            is_open = "score" not in context.options.columns
            if _WEIGHT.search(simplify(label)) and (is_exceeded or are_alike) and is_open:
                own = [context.get_header("score")] if context.has("score") else []
                raise _refuse_weights(label, *(f"--map score={text}" for text in own))
            context.notes["maxima"] = name
            return {item: number for item, number in numbers.items() if number > 0}
    numbers = _take_columns_of_maxima(context)
    if numbers:
        return numbers
    numbers = {
        item: float(match[1])
        for item in find_criteria(context)
        if (match := _IN_BRACKETS.search(separate_words(context.columns[item].header.text)))
    }
    marks = {
        item: context.evidence[item].highest
        for item in find_criteria(context)
        if context.evidence[item].total and item not in context.notes.get("yes_no", ())
    }
    are_reached = all(
        numbers.get(item, 0) / 2 < mark <= numbers.get(item, 0) for item, mark in marks.items()
    )
    return numbers if are_reached else {}


def _take_columns_of_maxima(context: FileContext) -> dict[str, float]:
    """Take the maxima that columns of one number beside criteria have: `Greeting max`."""
    words = {name: simplify(name).split() for name in find_criteria(context)}
    numbers: dict[str, float] = {}
    for name, own in words.items():
        for other, longer in words.items():
            evidence = context.evidence[other]
            rest = " ".join(word for word in longer if word not in own)
            is_maximum = rest in _MAXIMA and [*filter(own.__contains__, longer)] == own
            if is_maximum and evidence.lowest == evidence.highest > 0:
                numbers[name] = evidence.highest
                context.drop_replaced(other, name)
    return numbers


def _name_maxima(batch: RowBatch, name: str) -> np.ndarray:
    """Find the rows without an evaluator whose cell says that they are maxima, as a mask."""
    if not batch.context.has(name, "evaluator"):
        return np.zeros(len(batch), bool)
    labels = batch.read_text(name).to_pylist()
    is_named = np.array([simplify(label or "") in _MAXIMA for label in labels], bool)
    return is_named & to_numpy(batch.read_text("evaluator").is_null()).astype(bool)


def _find_total_maximum(context: FileContext) -> float:
    """Find the maximum of the total in its heading (`Note /20`); 0 where it says none."""
    return (context.has("score") and context.columns["score"].header.out_of) or 0


def _find_confirmed(context: FileContext, highest: Mapping[str, float]) -> str | None:
    """Find the scale of criteria under which the score is the share of all points."""
    if not context.has("score"):
        return None
    sample, known = context.take_sample(), context.notes["possible"]
    names = [*known, *highest]
    marks = np.column_stack([sample.read_number(name) for name in names])
    reading = NumberReading(context.readings["score"].decimal)
    totals = reading.read(sample.read_text("score"))[0]
    whole, greatest = _find_total_maximum(context) or 100, max(highest.values())
    earned = np.nansum(marks, axis=1)
    for most in USUAL_MAXIMA:
        if most < greatest or (most == whole and greatest <= whole / 2):  # their mean, on any scale
            continue
        maxima = np.array([known.get(name, most) for name in names])
        possible = np.sum(np.where(np.isnan(marks), 0, maxima), axis=1)
        shares = earned / np.where(possible > 0, possible, np.nan)
        is_equal = np.abs(totals - whole * shares) <= 1e-2 * whole
        # A sum says nothing of the maximum of each.
        if is_equal.all() and len(np.unique(shares)) > 1 and (totals != earned).all():
            return f"0-{most:g}"
    return None


def _is_their_total(context: FileContext, criteria: list[str]) -> bool:
    """Return whether the criteria give the score too. Raises Refusal where they give another,
    and nobody says that the score is right.
    """
    if len(criteria) == 1:
        return False
    sample = context.take_sample()
    marks = np.column_stack([sample.read_number(name) for name in criteria])
    possible = _read_possible(context, sample, criteria)
    earned = np.nansum(marks, axis=1)
    whole = np.sum(np.where(np.isnan(marks), 0, possible), axis=1)
    shares = earned / np.where(whole > 0, whole, np.nan)
    reading = NumberReading(context.readings["score"].decimal)
    totals, _bad, _off = reading.read(sample.read_text("score"))
    comparable = ~np.isnan(totals) & ~np.isnan(shares)
    if not comparable.any():
        return True
    maximum = _find_total_maximum(context)
    scales = (earned, *(most * shares for most in (1, 5, 10, 20, 100, maximum)))
    agreed = max(
        (np.abs(totals - scale) <= 1e-2 * np.maximum(scale, 1))[comparable].mean()
        for scale in scales
    )
    if agreed < _MAX_ROWS and "score" not in context.options.columns:
        raise context.refuse(
            "total_and_criteria",
            "{column} does not match the total of the criteria {criteria}. Name the score if it "
            "is right, or leave it aside, or the columns that are not criteria.",
            "score",
            "--map score={column}",
            "--map ignore={column}",
            *(f"--map ignore={name}" for name in criteria),
            criteria=", ".join(criteria),
        )
    return agreed >= _MAX_ROWS


def _decide_long(context: FileContext) -> None:
    context.notes["form"] = "long"
    for name in find_criteria(context):
        del context.columns[name]
    if not context.has("points"):
        if not context.has("score"):
            raise Refusal(
                "missing_column",
                "Each row names a criterion, but no column holds its points. Name the points "
                "column.",
                options=("--map points=COLUMN",),
            )
        # With a criterion on each row, a column called score or note has its points.
        context.columns["points"] = context.columns.pop("score")
        context.evidence["points"] = context.evidence.pop("score")
        context.readings["points"] = NumberReading(context.readings.pop("score").decimal, 0)
    if "points" in context.notes.get("yes_no", ()):
        context.decide("points", "yes is all points of the criterion, no is none")
        _claim_weight(context)
    if not context.has("possible"):
        _require_common_maximum(context)
        own = context.evidence["points"].has_own_maxima and not context.options.scales
        stated = np.nan if own else _decide_possible(context, "points", None, None)
    context.notes["possible"] = {} if context.has("possible") else {"": stated}
    _require_unweighted(context)


def _require_unweighted(context: FileContext) -> None:
    """Raise Refusal where criteria have weights of their own, which scores would be without."""
    sample = context.take_sample()
    marks = possible = np.ones(len(sample))
    if context.has("possible"):
        possible = sample.read_number("possible")
    if context.notes["form"] == "score":
        marks = sample.read_number("score")
    all_weights: set[float] = set()
    for index, text in context.find_unused():
        numbers = NumberReading().read(sample.cells[index])[0]
        if _is_added(text) and np.nansum(np.abs(numbers)) and not context.options.is_stated:
            raise _refuse_taken_off(text)
        words = (simplify(value or "") for value in sample.cells[index].to_pylist())
        is_failed = np.array([bool(ANSWERS.get(word)) for word in words])
        if (
            _FATAL.search(separate_words(text))
            and (marks[is_failed] > 0).any()
            and not context.options.is_stated
        ):
            raise _refuse_taken_off(text)
        if not _WEIGHT.search(simplify(text)):
            continue
        weights = numbers / possible
        all_weights.update(weights[~np.isnan(weights)].tolist())
        if max(all_weights, default=0) > 1.01 * min(all_weights, default=np.inf):
            raise _refuse_weights(text, f"--map ignore={text}")


def _refuse_weights(place: str, *options: str) -> Refusal:
    """Build the refusal of weights in a column, a header or a line of numbers."""
    message = N_(
        "{column} weighs criteria otherwise than their points. Scores would be computed "
        "without it. Import the score of each evaluation, or leave the column aside."
    )
    return Refusal("weights_apart", message, options or ("--map score=COLUMN",), column=place)


def _claim_weight(context: FileContext) -> None:
    """Use the column of the weights as the points of criteria that are answered by yes or no."""
    for index, text in context.find_unused():
        if (
            not context.has("possible")
            and _WEIGHT.search(simplify(text))
            and context.compute_share(index, _NUMBER) == 1
        ):
            context.columns["possible"] = Column(_POSSIBLE, index, parse_header(text))
            context.evidence["possible"] = NumberEvidence("possible", text)
            context.readings["possible"] = NumberReading(low=0)
            context.decide("possible", "the points of each criterion", text)


def _require_common_maximum(context: FileContext) -> None:
    """Raise Refusal where criteria without a stated maximum do not reach the same usual one."""
    column, evidence = context.columns["points"], context.evidence["points"]
    stated_scale = {"points", column.header.text} & set(context.options.scales)
    if stated_scale or column.header.out_of or column.header.scale or evidence.denominators:
        return
    sample = context.take_sample()
    points = sample.read_number("points")
    criteria = sample.read_text("criterion").to_pylist()
    greatest: dict[str | None, float] = {}
    for criterion, mark in zip(criteria, points, strict=True):
        greatest[criterion] = max(greatest.get(criterion, 0.0), np.nan_to_num(mark))
    if len(set(greatest.values())) == 1 and evidence.highest in _SMALL_SCALES:
        return
    raise _refuse_unclear(
        [column.header.text], "--map possible=COLUMN", *_list_scales("points", evidence.highest)
    )


def _list_scales(name: str, highest: float, likely: float = 0) -> list[str]:
    """List options with the scales that hold the marks: the likely one, then the nearest usual."""
    usual = [scale for scale in USUAL_MAXIMA if scale >= highest] or [10 * round(highest / 10 + 1)]
    scales = dict.fromkeys((likely, *usual) if likely >= max(highest, 1) else usual)
    return [f"--scale {name}=0-{scale:g}" for scale in [*scales][:3]]


def _refuse_unclear(columns: list[str], *options: str) -> Refusal:
    return Refusal(
        "unclear_criteria",
        "The numbers in {columns} may be scores, but nothing gives their maximum. Choose it. "
        "Where columns differ, set the scale of each (Accuracy=0-5), or leave it aside.",
        options=options,
        columns=", ".join(columns),
    )


def _decide_possible(
    context: FileContext, name: str, out_of: float | None, scale: str | None
) -> float:
    """Decide the greatest mark: requested, in header or cells, else the highest of the file."""
    evidence, column = context.evidence[name], context.columns[name]
    requested = context.options.scales.get(name) or context.options.scales.get(column.header.text)
    low, is_reversed = 0.0, False
    if requested or scale:
        first, last = parse_scale(requested or scale)
        possible, is_reversed = max(first, last), first > last
        low = last if is_reversed else low
    elif out_of:
        possible = out_of
    elif len(evidence.denominators) == 1:
        possible = next(iter(evidence.denominators))
    else:
        possible = (
            evidence.highest if np.isfinite(evidence.highest) and evidence.highest > 0 else 1.0
        )
    seen = SET_BY_PERSON if requested else f"≤ {evidence.highest:g}"
    context.decide(name, "out of {possible}", seen, possible=f"{possible:g}")
    context.readings[name] = NumberReading(
        context.readings[name].decimal, low, possible, is_reversed=is_reversed
    )
    return possible


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    """Build evaluations from a batch of rows: one row per criterion, or one per mark."""
    columns = batch.read_texts(*_TEXTS)
    columns |= {
        name: mask_contact_details(columns[name]) for name in ("comment", "tags") if name in columns
    }
    if context.has("evaluated_at"):
        utc, local = build_moment(context, batch, "evaluated_at")
        columns |= {"evaluated_at": as_moments(utc), "local_start": as_moments(local)}
    if "maxima" in context.notes:
        batch.reject(_name_maxima(batch, context.notes["maxima"]), "header")
    batch.require_any(columns, "contact_id", "advisor")
    form = context.notes["form"]
    if form == "score":
        return columns | {"score": as_numbers(_build_score(context, batch))}
    if form == "long":
        return columns | _build_long(context, batch)
    return _build_wide(context, batch, columns)


def _build_score(context: FileContext, batch: RowBatch) -> np.ndarray:
    marks = batch.read_number("score")
    if "score" not in context.scales:  # each row has its maximum
        low, is_beside = 0.0, context.has("possible")
        high = batch.read_number("possible") if is_beside else batch.read_maxima("score")
        batch.reject((marks > high) | (high <= 0), "off_scale")
        marks = np.where(np.isnan(high), np.nan, marks)
    else:
        low, high = (float(part) for part in context.scales["score"].split("-"))
    batch.reject(np.isnan(marks), "not_given")
    return 100 * (marks - low) / (high - low)


def _build_long(context: FileContext, batch: RowBatch) -> dict[str, pa.Array]:
    points = batch.read_number("points")
    if "points" in context.notes.get("yes_no", ()) and context.has("possible"):
        points = points * batch.read_number("possible")
    possible = (
        batch.read_number("possible")
        if context.has("possible")
        else _read_possible(context, batch, ["points"])[:, 0]
    )
    criteria = batch.read_text("criterion")
    batch.reject(to_numpy(criteria.is_null()), "missing_criterion")
    sections = batch.read_text("section").to_pylist() if context.has("section") else ()
    batch.reject(_find_sums(criteria.to_pylist(), sections), "footer")
    batch.reject(points > possible, "off_scale")
    return batch.read_texts("criterion", "section") | {
        "points": as_numbers(points),
        "possible": as_numbers(np.where(np.isnan(points), np.nan, possible)),
    }


def _find_sums(criteria: Iterable[str | None], sections: Iterable[str | None]) -> np.ndarray:
    """Find the rows of sums of all criteria or of a section, as a mask."""
    known = {"", *(simplify(section or "") for section in sections)}
    words = [simplify(criterion or "") for criterion in criteria]
    return np.array(
        [bool(_TOTAL.search(text)) and _SUM.sub("", text).strip() in known for text in words], bool
    )


def _read_possible(context: FileContext, batch: RowBatch, names: list[str]) -> np.ndarray:
    """Read what the marks of these columns are out of: of all rows, or of each."""
    known = context.notes["possible"]
    stated = ((name, known.get("", known.get(name))) for name in names)
    columns = (
        batch.read_maxima(name) if np.isnan(most) else np.full(len(batch), most)
        for name, most in stated
    )
    return np.column_stack([*columns])


def _build_wide(
    context: FileContext, batch: RowBatch, columns: dict[str, pa.Array]
) -> dict[str, pa.Array]:
    names = find_criteria(context)
    marks = [batch.read_number(name) for name in names]
    nothing = np.logical_and.reduce([np.isnan(values) for values in marks])
    batch.reject(nothing, "not_given")
    count = len(names)
    repeated = np.repeat(np.arange(len(batch)), count)
    points = np.column_stack(marks).ravel()
    possible = _read_possible(context, batch, names).ravel()
    titles = [context.get_header(name) for name in names]
    tall = {name: pc.take(values, pa.array(repeated)) for name, values in columns.items()}
    return {
        "line": pa.array(np.repeat(batch.lines, count), pa.int64()),
        **tall,
        "criterion": pa.array(titles * len(batch), pa.string()),
        "points": as_numbers(points),
        "possible": as_numbers(np.where(np.isnan(points), np.nan, possible)),
    }


PROFILE = Profile(
    "generic",
    "evaluations",
    FIELDS,
    (("contact_id", "advisor"),),
    decide_columns,
    build,
    claim=claim,
)
