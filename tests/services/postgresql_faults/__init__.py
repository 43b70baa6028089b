"""Faults of projections on a real PostgreSQL: a ledger in a journal, workers as processes, and the judge of their rows."""
