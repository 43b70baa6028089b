"""The journal's protocol without I/O: records, chain, the reader's verdicts, the writer's states (docs/protocol.md)."""
