"""Replay validation: whether the code at hand leads from the journal's events to the states that they once led to."""
