"""A real schema registry as a local process, for tests and demos: Apicurio, with Confluent's API."""
