"""Listening: what the law asks for first, recordings, plans and draws, drafts,
disputes, calibration and coaching
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "gate_value",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_value")),
    )
    op.create_index(op.f("ix_gate_value_name"), "gate_value", ["name"])
    op.create_table(
        "listening_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("grid_key", sa.Text(), nullable=False),
        sa.Column("per_advisor", sa.Integer(), nullable=False),
        sa.Column("maximum_per_advisor", sa.Integer(), nullable=False),
        sa.Column("strata", sa.JSON(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("evaluators", sa.JSON(), nullable=False),
        sa.Column("most_per_evaluator", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("publish_after_days", sa.Integer(), nullable=False),
        sa.Column("dispute_days", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listening_plan")),
        sa.UniqueConstraint("name", name=op.f("uq_listening_plan_name")),
    )
    op.create_table(
        "advisor_notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=False),
        sa.Column("informed_on", sa.Date(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_advisor_notice_advisor_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisor_notice")),
    )
    op.create_index(op.f("ix_advisor_notice_advisor_id"), "advisor_notice", ["advisor_id"])
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("grid_id", sa.Integer(), nullable=False),
        sa.Column("evaluators", sa.JSON(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name=op.f("fk_calibration_grid_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_table(
        "coaching_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("evaluations", sa.JSON(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_coaching_plan_advisor_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_plan")),
    )
    op.create_index(op.f("ix_coaching_plan_advisor_id"), "coaching_plan", ["advisor_id"])
    op.create_table(
        "draw",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("lake_version", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("frame_digest", sa.Text(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("short", sa.JSON(), nullable=False),
        sa.Column("frame_shares", sa.JSON(), nullable=False),
        sa.Column("drawn_by", sa.Text(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["listening_plan.id"], name=op.f("fk_draw_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw")),
    )
    op.create_index(op.f("ix_draw_plan_id"), "draw", ["plan_id"])
    op.create_table(
        "recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("clear_bytes", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("peaks", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delete_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_recording_advisor_id"),
            onupdate="CASCADE",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("file_name", name=op.f("uq_recording_file_name")),
    )
    op.create_index(op.f("ix_recording_advisor_id"), "recording", ["advisor_id"])
    op.create_index(op.f("ix_recording_batch_id"), "recording", ["batch_id"])
    op.create_index("ix_recording_contact", "recording", ["source_system", "contact_id"])
    op.create_index(op.f("ix_recording_local_day"), "recording", ["local_day"])
    op.create_table(
        "accreditation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["username"],
            ["account.username"],
            name=op.f("fk_accreditation_username"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accreditation")),
    )
    op.create_index(op.f("ix_accreditation_username"), "accreditation", ["username"])
    op.create_table(
        "calibration_contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("calibration_id", sa.Integer(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("local_start", sa.DateTime(), nullable=False),
        sa.Column("reference_evaluator", sa.Text(), nullable=True),
        sa.Column("consensus", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_calibration_contact_advisor_id"),
            onupdate="CASCADE",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["calibration_id"],
            ["calibration.id"],
            name=op.f("fk_calibration_contact_calibration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_contact")),
        sa.UniqueConstraint(
            "calibration_id",
            "source_system",
            "contact_id",
            name=op.f("uq_calibration_contact_calibration_id_source_system_contact_id"),
        ),
    )
    op.create_index(
        op.f("ix_calibration_contact_advisor_id"), "calibration_contact", ["advisor_id"]
    )
    op.create_index(
        op.f("ix_calibration_contact_calibration_id"), "calibration_contact", ["calibration_id"]
    )
    op.create_table(
        "coaching_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["coaching_plan.id"],
            name=op.f("fk_coaching_note_plan_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_note")),
    )
    op.create_index(op.f("ix_coaching_note_plan_id"), "coaching_note", ["plan_id"])
    op.create_table(
        "drawn_contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("draw_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("local_start", sa.DateTime(), nullable=False),
        sa.Column("stratum", sa.JSON(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replaced_because", sa.Text(), nullable=True),
        sa.Column("replaced_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_drawn_contact_advisor_id"),
            onupdate="CASCADE",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["draw_id"], ["draw.id"], name=op.f("fk_drawn_contact_draw_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["replaced_by"],
            ["drawn_contact.id"],
            name=op.f("fk_drawn_contact_replaced_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drawn_contact")),
    )
    op.create_index(op.f("ix_drawn_contact_advisor_id"), "drawn_contact", ["advisor_id"])
    op.create_index("ix_drawn_contact_contact", "drawn_contact", ["source_system", "contact_id"])
    op.create_index(op.f("ix_drawn_contact_draw_id"), "drawn_contact", ["draw_id"])
    op.create_index(op.f("ix_drawn_contact_evaluator"), "drawn_contact", ["evaluator"])
    op.create_table(
        "playback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("advisor_id", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("played_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["advisor_id"],
            ["advisor.advisor_id"],
            name=op.f("fk_playback_advisor_id"),
            onupdate="CASCADE",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recording.id"],
            name=op.f("fk_playback_recording_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback")),
    )
    op.create_index(op.f("ix_playback_advisor_id"), "playback", ["advisor_id"])
    op.create_index(op.f("ix_playback_recording_id"), "playback", ["recording_id"])
    op.create_index(op.f("ix_playback_username"), "playback", ["username"])
    op.create_table(
        "dispute",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("original", sa.Double(), nullable=True),
        sa.Column("proposed", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided", sa.Double(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_dispute_evaluation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint(
            "evaluation_id", "criterion", name=op.f("uq_dispute_evaluation_id_criterion")
        ),
    )
    op.create_index(op.f("ix_dispute_evaluation_id"), "dispute", ["evaluation_id"])
    op.create_table(
        "evaluation_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replaced_by", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_evaluation_revision_evaluation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_revision")),
        sa.UniqueConstraint(
            "evaluation_id", "version", name=op.f("uq_evaluation_revision_evaluation_id_version")
        ),
    )
    op.create_index(
        op.f("ix_evaluation_revision_evaluation_id"), "evaluation_revision", ["evaluation_id"]
    )
    op.create_table(
        "timed_comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("criterion", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_timed_comment_evaluation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timed_comment")),
    )
    op.create_index(op.f("ix_timed_comment_evaluation_id"), "timed_comment", ["evaluation_id"])
    # Added in place: making the table anew would let SQLite cascade over what refers to
    # it.
    for column in (
        sa.Column("kind", sa.Text(), server_default="scored", nullable=False),
        sa.Column(
            "drawn_id",
            sa.Integer(),
            sa.ForeignKey("drawn_contact.id", ondelete="SET NULL"),
            nullable=True,
        ),
        sa.Column(
            "calibration_id",
            sa.Integer(),
            sa.ForeignKey("calibration.id", ondelete="SET NULL"),
            nullable=True,
        ),
        sa.Column(
            "answered_evaluation_id",
            sa.Integer(),
            sa.ForeignKey("evaluation.id", ondelete="CASCADE"),
            nullable=True,
        ),
        sa.Column("draft", sa.JSON(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds_spent", sa.Double(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_on", sa.Date(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("advisor_comment", sa.Text(), nullable=True),
    ):
        op.add_column("evaluation", column, inline_references=True)
    op.add_column("evaluation_answer", sa.Column("comment", sa.Text(), nullable=True))
    op.add_column("grid", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("grid", sa.Column("published_by", sa.Text(), nullable=True))
    op.add_column("grid", sa.Column("edition", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        op.f("ix_evaluation_answered_evaluation_id"), "evaluation", ["answered_evaluation_id"]
    )
    op.create_index(op.f("ix_evaluation_calibration_id"), "evaluation", ["calibration_id"])
    op.create_index(op.f("ix_evaluation_drawn_id"), "evaluation", ["drawn_id"])
    op.create_index("ix_evaluation_counted", "evaluation", ["state", "kind", "changed_at"])
