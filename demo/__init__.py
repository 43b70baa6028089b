"""The demo: a year of real flights through the reference application, and the proof that its tables are right."""
