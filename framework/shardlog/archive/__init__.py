"""Frames that are no longer in the journal itself: read back where they are asked for."""
