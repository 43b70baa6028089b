"""Deterministic simulation: one seed decides clock, scheduling, faults and workload; the real engine runs in it."""
