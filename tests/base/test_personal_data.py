"""Personal data in what evaluators write: nearly all of it is seen, in both languages,
and ordinary remarks are left in peace.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from qa_core.base.masking import KINDS, MASK, find_personal_data, mask

CORPUS = Path(__file__).with_name("personal_data.tsv")
PHONES = (
    "06 12 34 56 78",
    "0612345678",
    "06.12.34.56.78",
    "07-81-22-33-44",
    "01 42 68 53 00",
    "+33 6 12 34 56 78",
    "+33612345678",
    "0033 6 12 34 56 78",
    "+33 (0)6 12 34 56 78",
    "09 72 72 72 72",
    "+44 20 7946 0958",
    "+49 30 901820",
    "+32 470 12 34 56",
)
EMAILS = (
    "jean.dupont@orange.fr",
    "j_martin+achats@exemple.co.uk",
    "CLAIRE@LAPOSTE.NET",
    "sav-2024@mon-site.com",
    "paul (at) gmail.com",
    "anne arobase free.fr",
)
CARDS = (
    "4111 1111 1111 1111",
    "4111111111111111",
    "5500-0000-0000-0004",
    "3400 000000 00009",
    "3782 822463 10005",
    "6011 0000 0000 0004",
)
IBANS = (
    "FR76 3000 6000 0112 3456 7890 189",
    "FR7630006000011234567890189",
    "DE89 3704 0044 0532 0130 00",
    "BE68 5390 0754 7034",
    "gb29 nwbk 6016 1331 9268 19",
)
NUMBERS_OF_INSURED = (
    "1 85 05 78 006 084 36",
    "185057800608436",
    "2 69 05 49 588 157 80",
    "1 84 12 2A 451 089 18",
    "2 91 11 75 115 023",
)
BIRTHS = (
    "née le 12/03/1980",
    "né le 3 mars 1975",
    "date de naissance : 01.02.1990",
    "naissance 1er août 1966",
    "born on 12 May 1981",
    "born 03/12/1970",
    "date of birth 1980-03-12",
    "DOB: 3/4/1977",
    "date of birth: April 5, 1988",
)
HEALTH = (
    "la cliente est enceinte", "il a un cancer", "elle sort de l'hôpital",
    "son diabète l'empêche de se déplacer", "en arrêt maladie depuis mars",
    "il est handicapé", "elle fait une dépression", "sous antidépresseurs",
    "vient d'être opérée du genou", "sa maladie chronique", "traitement médical lourd",
    "il a fait un AVC", "she is pregnant", "he is in hospital", "recovering from surgery",
    "the customer is diabetic", "she has been depressed",
    "he is disabled", "on sick leave", "his medication changed", "she had a stroke",
    "a mental health problem", "her illness", "her epilepsy",
    "elle voit son oncologue mardi", "il attend une greffe du rein",
    "depuis son accident vasculaire cérébral",
)  # fmt: skip
AROUND = (
    "{}",
    "Le client répète : {}, et le conseiller ne le note pas.",
    "The advisor reads {} back to the customer.",
    "À reprendre ({}) avec elle.",
    "Rappel:{}.",
)
HARMLESS = (
    "Bonne reformulation, ton posé, 18/20 sur l'accueil.",
    "Commande 48213377 livrée en retard, geste commercial de 15,50 €.",
    "Attente de 3 min 45 s, annoncée.",
    "Score 87,5 % contre 82 % en octobre.",
    "Dossier CMD-48213 : suite promise sous 48 h.",
    "Mise en attente à 02:35, reprise à 04:10.",
    "Appel du 12/03/2026 à 14:30, deuxième contact.",
    "La facture n° 2026-0042 a été expliquée ligne par ligne.",
    "Rappel prévu le 3 mars entre 10 h et 12 h.",
    "Offre à 29,99 € par mois pendant 12 mois.",
    "Réf. AB-1234, colis 8 kg.",
    "Le conseiller coupe la parole deux fois puis s'excuse.",
    "Relit le contrat article 12-3.",
    "Good restatement, calm tone, 9 out of 10.",
    "Order 48213377 was late; refund of £15.50 offered.",
    "Hold of 3 min 45 s, announced.",
    "Score 87.5% against 82% in October.",
    "The call of 12 March 2026 at 14:30 was the second.",
    "Ticket 20261124 escalated within 48 h.",
    "Offer explained: 29.99 a month for 12 months.",
    "I'll coach on closing; skill level 3 of 4.",
    "Reads article 12-3 of the contract.",
    "Version 3.11.4 of the tool was down.",
    "He was born to sell: enthusiastic and clear.",
    "Great hospitality and patience.",
    "Traitement de la demande complet, procédure suivie.",
    "Opération commerciale bien présentée.",
    "Ordonnance les étapes clairement.",
    "Le stress du client retombe.",
    "Transfert au service 3 en 20 secondes, poste 4512.",
    "Number 7 on the list, code 75011.",
)


def test_the_number_of_a_customer_is_seen_and_a_place_in_a_list_is_not() -> None:
    assert [match.kind for match in find_personal_data("client n° 4821377")] == [
        "identity_document"
    ]
    for text in ("N° client : 885522", "numéro de client 885522", "dossier client 4455667"):
        assert [match.kind for match in find_personal_data(text)] == ["identity_document"], text
    assert find_personal_data("le client n° 2 de la liste") == []
    assert find_personal_data("le greffe du tribunal a appelé") == []


def test_seeded_personal_data_is_flagged_nearly_always(centre) -> None:
    seeded = {
        "phone": PHONES,
        "email": EMAILS,
        "card": CARDS,
        "iban": IBANS,
        "social_security": NUMBERS_OF_INSURED,
        "birth": BIRTHS,
        "health": HEALTH,
    }

    missed = []
    for kind, examples in seeded.items():
        for example, frame in itertools.product(examples, AROUND):
            if kind not in {found.kind for found in find_personal_data(frame.format(example))}:
                missed.append((kind, frame.format(example)))

    seeds = sum(map(len, seeded.values())) * len(AROUND)
    assert len(missed) <= 0.05 * seeds, missed
    for kind, examples in seeded.items():  # and no kind is hidden behind the others
        assert sum(kind == one for one, _text in missed) <= 0.1 * len(examples) * len(AROUND), [
            text for one, text in missed if one == kind
        ]


def test_remarks_of_twelve_classes_are_flagged_and_harmless_ones_are_not(centre) -> None:
    """519 remarks with personal data and 493 without, in French and English. The last 328
    were written by somebody else, after the patterns: of these 94.6 % were flagged at first,
    and 3.8 % of the harmless ones.
    """
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    remarks = [tuple(line.split("\t")) for line in lines]
    assert {kind for kind, _language, _text in remarks} == {*KINDS, "none"}
    flagged = {text: bool(find_personal_data(text)) for _kind, _language, text in remarks}

    seeded = [(kind, text) for kind, _language, text in remarks if kind != "none"]
    harmless = [text for kind, _language, text in remarks if kind == "none"]
    missed = [(kind, text) for kind, text in seeded if not flagged[text]]
    alarms = [text for text in harmless if flagged[text]]
    print(f"recall {1 - len(missed) / len(seeded):.1%}, alarms {len(alarms) / len(harmless):.1%}")
    assert len(missed) <= 0.05 * len(seeded), missed
    assert len(alarms) <= 0.05 * len(harmless), alarms


def test_ordinary_remarks_are_left_in_peace(centre) -> None:
    flagged = [text for text in HARMLESS if find_personal_data(text)]

    assert len(flagged) <= 1, flagged


def test_what_reaches_a_person_is_masked_and_words_are_left_to_their_writer(centre) -> None:
    for example, frame in itertools.product(
        (*PHONES, *EMAILS, *CARDS, *IBANS, *NUMBERS_OF_INSURED), AROUND
    ):
        assert mask(frame.format(example)) == frame.format(MASK)
    assert mask("She is pregnant, born on 12 May 1981.") == "She is pregnant, born on 12 May 1981."
    assert (
        mask("Commande 48213377, 15,50 €, 12/03/2026.") == "Commande 48213377, 15,50 €, 12/03/2026."
    )


def test_where_it_stands_is_told(centre) -> None:
    text = "Rappeler au 06 12 34 56 78 ou jean@exemple.fr."

    assert [(found.kind, text[found.start : found.end]) for found in find_personal_data(text)] == [
        ("phone", "06 12 34 56 78"),
        ("email", "jean@exemple.fr"),
    ]
    assert find_personal_data("") == []


def test_a_word_without_end_is_read_in_one_go() -> None:
    # Read from each of its letters to its end it would take minutes.
    assert mask("x" * 200_000 + " de léa@example.fr") == "x" * 200_000 + " de •••"
