"""The demo through Kafka: a producer, executors, the relay and the projector, each a process of its own."""
