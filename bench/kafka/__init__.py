"""The benchmarks that need a Kafka broker: one that is started for them, or that of SHARDLOG_KAFKA."""
