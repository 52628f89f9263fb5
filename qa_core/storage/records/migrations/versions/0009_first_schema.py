"""Schema of the first version, where migrations begin. The models make new stores whole."""

revision = "0009"
down_revision = None


def upgrade() -> None:
    """Change nothing: stores at this revision have the schema already."""
