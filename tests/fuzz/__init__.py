"""Fuzzing: what any bytes may do, by hand (``scripts/fuzz``) and, for a moment, in the tests."""
