"""Answers from a cassette: its tape, with a track for each recorded stream."""
