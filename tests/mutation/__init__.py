"""Mutation testing of protocol/: which changes of it no test would notice (``scripts/mutate``)."""
