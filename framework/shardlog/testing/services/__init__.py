"""Real services for tests and demonstrations, without root and without Docker."""
