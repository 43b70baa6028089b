"""Avro at the edges: schemas generated from messages, values in Avro binary, framing, and what a change may be."""
