"""Comments of simulated customers and evaluators, in two languages."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.contacts import BILLING, Wave

ENGLISH_SHARE = 0.13
LONG_WAIT, LAUNCH = 75, 0.3
"""Seconds of wait, and trouble of the launch, from which customers mention them."""
Told = Mapping[str, Sequence[str]]

PLEASED: Told = {
    "fr": (
        "Réponse claire, merci.", "Conseillère très à l'écoute, problème réglé.",
        "Rapide et efficace.", "Enfin quelqu'un qui explique bien !",
        "Tout a été fait pendant l'appel.", "Personne aimable et compétente.",
        "J'ai été rappelé comme promis.", "Très bon accueil, je recommande.",
        "Solution trouvée en cinq minutes.",
        "Conseiller patient, il a pris le temps de m'expliquer.",
    ),
    "en": (
        "Clear answer, thank you.", "Quick and friendly.", "Solved during the call.",
        "The advisor took the time to explain.",
        "Called me back as promised.",
    ),
}  # fmt: skip
WAITED: Told = {
    "fr": (
        "Trop d'attente avant d'avoir quelqu'un.",
        "Attente interminable au téléphone.",
        "La musique d'attente pendant dix minutes, c'est pénible.",
        "Temps d'attente beaucoup trop long.",
    ),
    "en": (
        "Far too long on hold.",
        "I was kept on hold for ages.",
        "The waiting time is unacceptable.",
    ),
}
TRANSFERRED: Told = {
    "fr": (
        "On m'a transféré deux fois pour rien.",
        "Transféré de service en service.",
        "J'ai dû tout réexpliquer après le transfert.",
        "Chaque service me renvoie vers un autre service.",
    ),
    "en": (
        "I was transferred twice for nothing.",
        "Transferred from one department to another, and had to explain everything again.",
    ),
}
CAME_BACK: Told = {
    "fr": (
        "C'est la troisième fois que j'appelle pour la même chose.",
        "J'ai dû tout réexpliquer, personne ne suit le dossier.",
        "Obligé de rappeler encore une fois.",
        "Promis un rappel, jamais rappelé.",
    ),
    "en": (
        "Third time I have to call about the same thing.",
        "Nobody called me back as promised.",
        "I had to explain everything again.",
    ),
}
UNSETTLED: Told = {
    "fr": (
        "Le problème n'est toujours pas réglé.",
        "Le conseiller n'avait pas la réponse.",
        "La réponse ne correspond pas à ma question.",
        "Aucune solution proposée.",
        "On me dit que c'est réglé et ce n'est pas réglé.",
    ),
    "en": (
        "The problem is still not fixed.",
        "The advisor did not know the answer.",
        "No solution offered.",
    ),
}
NEW_BILL: Told = {
    "fr": (
        "Je ne comprends rien à la nouvelle facture.",
        "Le montant a changé et personne ne sait dire pourquoi.",
        "Nouvelle facture illisible.",
        "Impossible de lire cette nouvelle facture.",
        "Le montant de la nouvelle facture est faux.",
    ),
    "en": ("I cannot understand the new bill.", "The amount on the new bill is wrong."),
}
ABOUT: Sequence[Told] = (
    {
        "fr": ("Prélèvement en double sur ma facture.",
        "Le remboursement n'est toujours pas arrivé.", "Erreur de montant sur la facture."),
        "en": ("I was charged twice.", "The refund has not arrived."),
    },
    {
        "fr": ("La box redémarre tout le temps.", "Le technicien n'est jamais venu.",
        "Encore une coupure d'internet ce soir."),
        "en": ("The technician never came.", "The internet cuts out every evening."),
    },
    {
        "fr": ("Rendez-vous d'installation annulé sans prévenir.",
        "Le technicien n'est pas venu au rendez-vous.", "Installation reportée deux fois."),
        "en": ("The installation appointment was cancelled without notice.",
        "The technician did not show up."),
    },
    {
        "fr": ("Le lien pour le mot de passe ne fonctionne pas.", "Jamais reçu le code par SMS.",
        "Espace client bloqué après trois essais."),
        "en": ("The password link does not work.", "I never received the code."),
    },
    {
        "fr": (
            "Déménagement fait, la ligne n'est pas transférée.",
            "Double abonnement pendant le déménagement.",
            "Trois semaines sans internet après le déménagement.",
        ),
        "en": ("We moved house and the line still does not work.",
        "Paying for two addresses since we moved house."),
    },
    {
        "fr": ("Colis annoncé livré, jamais reçu.", "Le livreur n'a pas sonné.",
        "Livraison en retard, aucune nouvelle du colis."),
        "en": ("The parcel is marked as delivered and never arrived.",
        "The delivery is late again."),
    },
    {
        "fr": ("Option activée sans mon accord.",
        "Le forfait ne correspond pas à ce qu'on m'avait dit.", "Hors forfait incompréhensible."),
        "en": ("An option was added without my agreement.", "The plan is not what I was told."),
    },
    {
        "fr": ("L'offre annoncée n'est pas celle du contrat.",
        "La promotion n'a pas été appliquée.", "On me pousse à prendre une offre plus chère."),
        "en": ("The promotion was not applied.", "The offer is not the one in the contract."),
    },
    {
        "fr": ("Résiliation demandée, toujours prélevé.",
        "On m'a passé trois personnes pour me retenir.", "Frais de résiliation jamais annoncés."),
        "en": ("Cancelled and still charged.", "Nobody told me about the cancellation fee."),
    },
    {
        "fr": ("Réclamation sans réponse depuis un mois.",
        "Mon courrier de réclamation n'a pas été lu.", "Aucun geste après ma réclamation."),
        "en": ("No answer to my complaint for a month.", "My complaint was not even read."),
    },
)  # fmt: skip
"""Topic by the number of the reason."""

FOUND_LACKING: Mapping[str, Told] = {
    "greeting": {
        "fr": ("Accueil expédié, la société n'est pas nommée.",),
        "en": ("Rushed greeting.",),
    },
    "identification": {
        "fr": ("Client non identifié avant de donner des informations.",),
        "en": ("Customer not identified.",),
    },
    "listening": {
        "fr": ("Coupe la parole au client.", "N'écoute pas la demande jusqu'au bout."),
        "en": ("Interrupts the customer.",),
    },
    "questions": {
        "fr": ("Ne pose pas les questions de découverte.",),
        "en": ("Does not ask the right questions.",),
    },
    "accuracy": {
        "fr": ("Réponse inexacte sur la procédure.", "Procédure de remboursement mal connue."),
        "en": ("Wrong answer on the procedure.",),
    },
    "ownership": {
        "fr": ("Renvoie le client vers un autre service.", "Pas d'engagement sur la suite."),
        "en": ("Sends the customer elsewhere.",),
    },
    "record": {"fr": ("Fiche client incomplète.",), "en": ("Record left incomplete.",)},
    "courtesy": {"fr": ("Ton sec en fin d'appel.",), "en": ("Curt tone.",)},
    "hold": {"fr": ("Mise en attente sans prévenir.",), "en": ("Put on hold without a word.",)},
    "close": {
        "fr": ("Prend congé sans reformuler la solution.",),
        "en": ("Closes without summing up.",),
    },
}
WELL_DONE: Told = {
    "fr": (
        "Bonne reformulation, client rassuré.",
        "Appel bien mené du début à la fin.",
        "Explications claires, bon rythme.",
    ),
    "en": ("Well led from start to end.", "Clear explanations."),
}
TAGS = {
    "listening": "écoute",
    "accuracy": "procédure",
    "ownership": "renvoi",
    "record": "fiche",
    "courtesy": "ton",
    "hold": "attente",
    "close": "clôture",
}


def write_customers(
    chance: np.random.Generator,
    wave: Wave,
    csat: np.ndarray,
    written: np.ndarray,
    in_english: np.ndarray,
    trouble: np.ndarray,
) -> pa.Array:
    """Write comments where `written`: praise from the pleased, faults from others."""
    texts: list[str | None] = [None] * len(wave)
    for row in np.nonzero(written)[0]:
        language = "en" if in_english[row] else "fr"
        complains = csat[row] <= 2 or (csat[row] == 3 and chance.random() < 0.6)
        told = _complaints(chance, wave, row, trouble[row]) if complains else [PLEASED]
        texts[row] = " ".join(_choose(chance, item[language]) for item in told)
    return pa.array(texts, pa.string())


def write_evaluators(
    chance: np.random.Generator, lacking: Sequence[Sequence[str]], share: float
) -> tuple[list[str | None], list[str | None]]:
    """Write a comment and tags for that share of evaluations, worst first."""
    comments: list[str | None] = []
    tags: list[str | None] = []
    for keys in lacking:
        language = "en" if chance.random() < ENGLISH_SHARE else "fr"
        known = [key for key in keys if key in FOUND_LACKING][:2]
        told = [FOUND_LACKING[key] for key in known] or [WELL_DONE]
        said = " ".join(_choose(chance, item[language]) for item in told)
        is_written = chance.random() < share
        comments.append(said if is_written else None)
        tags.append(
            ", ".join(TAGS[key] for key in known if key in TAGS) or None if is_written else None
        )
    return comments, tags


def _complaints(chance: np.random.Generator, wave: Wave, row: int, trouble: float) -> list[Told]:
    causes = [UNSETTLED] if not wave.resolved[row] else []
    causes += [WAITED] if wave.wait[row] > LONG_WAIT else []
    causes += [TRANSFERRED] if wave.transfers[row] > 0 else []
    causes += [CAME_BACK] if wave.depth[row] + wave.tries[row] > 0 else []
    is_new_bill = wave.reason[row] == BILLING and trouble > LAUNCH
    told = []
    if is_new_bill or chance.random() < 0.55:
        told = [NEW_BILL if is_new_bill else ABOUT[wave.reason[row]]]
    if causes and (not told or chance.random() < 0.5):
        told.append(causes[chance.integers(len(causes))])
    return told or [UNSETTLED]


def _choose(chance: np.random.Generator, texts: Sequence[str]) -> str:
    return texts[chance.integers(len(texts))]
