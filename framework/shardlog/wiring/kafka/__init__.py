"""Roles in processes of their own, over a journal on Kafka: what `shardlog serve` and `shardlog admin` run."""
