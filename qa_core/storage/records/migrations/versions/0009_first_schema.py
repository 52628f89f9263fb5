"""The schema of the first version: where migrations begin. New stores are made whole,
by the models, and marked as up to date.
"""

revision = "0009"
down_revision = None


def upgrade() -> None:
    """Change nothing: stores at this revision have the schema already."""
