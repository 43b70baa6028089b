"""The acknowledged state of a shard, kept outside of its journal so that a recovery need not begin at offset 0."""
