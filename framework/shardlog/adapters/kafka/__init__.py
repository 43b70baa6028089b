"""The journal and what stands beside it on Kafka, by librdkafka. Importing the room needs no Kafka client."""
