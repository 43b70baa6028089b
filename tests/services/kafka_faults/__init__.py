"""Faults on real brokers: a bank in processes of its own, load, what is done to them, and the judge of its history."""
