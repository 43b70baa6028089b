"""Faults of projections on a real PostgreSQL: a ledger in a journal, workers as processes, the judge of their rows."""
