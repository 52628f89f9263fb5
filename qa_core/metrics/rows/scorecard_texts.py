"""Titles of grids, sections and criteria in the reader's language, by their stored names."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.scoring import parse_scorecard
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion


@dataclass(frozen=True)
class ScorecardTexts:
    """Text by dimension (`grid`, `section`, `criterion`) and stored name."""

    by_dimension: dict[str, dict[str, str]] = field(default_factory=dict)

    def name(self, dimension: str, key: str) -> str:
        """Return the text; a criterion that no grid here declares keeps its name."""
        return self.by_dimension.get(dimension, {}).get(key, key)


def find_scorecard_texts(viewer: Viewer) -> ScorecardTexts:
    """Find the texts of all published grids in the language spoken; of two versions the
    newest decides. Open to every reader: no person is named in a grid.
    """
    texts: dict[str, dict[str, str]] = {"grid": {}, "section": {}, "criterion": {}}
    language = i18n.language()
    with store.reading() as session:
        contents = session.scalars(
            sa.select(ScorecardVersion.content)
            .where(ScorecardVersion.published_at.is_not(None))
            .order_by(ScorecardVersion.published_at, ScorecardVersion.id)
        ).all()
    # A grid that came with imported scores alone has no sections, and so no texts.
    for grid in (parse_scorecard(content) for content in contents if content.get("section")):
        texts["grid"][grid.title] = grid.text.in_language(language)
        texts["section"] |= {
            section.name: section.text.in_language(language) for section in grid.sections
        }
        texts["criterion"] |= {
            criterion.key: criterion.text.in_language(language) for criterion in grid.criteria
        }
    return ScorecardTexts(texts)
