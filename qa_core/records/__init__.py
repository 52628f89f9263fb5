"""The records: people, grids, evaluations, batches, settings and the journal, in a relational database."""
