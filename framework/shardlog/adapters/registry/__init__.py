"""Schema registries with Confluent's REST API: Confluent's own, Apicurio, Karapace, Redpanda."""
