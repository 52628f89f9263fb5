-- Rights of the role that the app signs in to PostgreSQL with: it owns nothing, makes no
-- table, and changes no row of the audit log. Run it once as the owner of the tables, after
-- `python -m qa_core init`; tables of later versions get their rights by themselves:
--
--     psql -d ecoute -v app=ecoute_app -f deploy/postgresql.sql
\set ON_ERROR_STOP on
BEGIN;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"app";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO :"app";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO :"app";

-- Only the owner migrates.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM :"app";

-- The audit log is appended to. The daily purge deletes what is older than the shortest
-- period that may be set for it, six months; nothing newer is in its reach.
REVOKE UPDATE ON journal FROM :"app";
ALTER TABLE journal ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS read_rows ON journal;
DROP POLICY IF EXISTS append_rows ON journal;
DROP POLICY IF EXISTS purge_old_rows ON journal;
CREATE POLICY read_rows ON journal FOR SELECT USING (true);
CREATE POLICY append_rows ON journal FOR INSERT WITH CHECK (true);
CREATE POLICY purge_old_rows ON journal FOR DELETE USING (
    at COLLATE "C" < to_char(now() AT TIME ZONE 'UTC' - interval '6 months', 'YYYY-MM-DD')
);

COMMIT;
