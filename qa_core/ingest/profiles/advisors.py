"""Advisors: their ids, names and aliases, and their team and site by dates."""

import re
from collections.abc import Mapping

import pyarrow as pa

from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.declaration import Profile, ValueType, build_fields

FIELDS = build_fields(
    {
        ("advisor_id", ValueType.TEXT): "agent id|id agent|id conseiller|matricule|employee id|"
        "identifiant|id|login|agent code|user id|code agent|numero agent|identifiant agent|"
        "identifiant conseiller|code conseiller|n agent|matricule rh",
        ("name", ValueType.TEXT): "agent name|advisor name|nom|nom conseiller|nom agent|"
        "nom complet|full name|agent|advisor|conseiller|employee name|nom prenom|nom et prenom|"
        "prenom nom|prenom et nom",
        ("first_name", ValueType.TEXT): "prenom",
        ("last_name", ValueType.TEXT): "nom de famille|surname|family name",
        ("aliases", ValueType.TEXT): "alias|autres noms|extension|poste|other names|logins|"
        "extensions|n poste",
        ("team", ValueType.TEXT): "equipe|team name|groupe|group|nom equipe|tier|department|"
        "departement|service|dept id|nom de l equipe|pole",
        ("site", ValueType.TEXT): "centre|plateau|call center id|site name|call center|location|"
        "etablissement|ville",
        ("from", ValueType.MOMENT): "since|debut|date debut|start date|hire date|date entree|"
        "depuis|date d entree|from date|valid from|date arrivee|du|date embauche|entree|"
        "debut contrat|date debut contrat",
        ("to", ValueType.MOMENT): "until|fin|date fin|end date|date sortie|to date|valid to|"
        "jusqu au|date depart|au|sortie|fin contrat|date fin contrat",
    }
)


def decide_columns(context: FileContext) -> None:
    """Join a first and a last name from two columns, and drop empty dates."""
    if context.has("first_name") and not context.has("last_name") and context.has("name"):
        context.decide("name", "first name, then {column}")
    context.drop_empty("from", "to")


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    columns = batch.read_texts("advisor_id", "team", "site")
    last_name = "last_name" if context.has("last_name") else "name"
    parts = [cells.to_pylist() for cells in batch.read_texts("first_name", last_name).values()]
    if parts:
        columns["name"] = pa.array(
            [" ".join(filter(None, row)) or None for row in zip(*parts, strict=True)], pa.string()
        )
    if context.has("aliases"):
        split = [
            [part for part in (piece.strip() for piece in re.split(r"[;|,]", text or "")) if part]
            for text in batch.read_text("aliases").to_pylist()
        ]
        columns["aliases"] = pa.array(split, pa.list_(pa.string()))
    batch.require_any(columns, "advisor_id", "name")
    columns |= {
        name: pa.array(batch.read_moment(name).day.astype("M8[D]"))
        for name in ("from", "to")
        if context.has(name)
    }
    return columns


PROFILE = Profile(
    "generic", "advisors", FIELDS, (("advisor_id", "name", "last_name"),), decide_columns, build
)
