"""Scorecards: drafts, published versions, files."""

from qa_core.quality.scorecards.drafts import create_draft, delete_draft, save_draft
from qa_core.quality.scorecards.faults import Fault, find_faults
from qa_core.quality.scorecards.publication import publish, publish_starter
from qa_core.quality.scorecards.versions import (
    NOT_PUBLISHED,
    StoredScorecard,
    find_all,
    find_newest_published,
    find_parsed,
    find_published,
    find_version,
    get,
)
