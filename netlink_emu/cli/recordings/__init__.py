"""Cassettes, and recorded cases of conformance, as commands name and play them."""
