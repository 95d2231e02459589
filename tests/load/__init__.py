"""Many clients, broken clients, and faults around the server; scripts/load runs it.

Each scenario draws what it does from a seed, and ends in an audit: what must hold of every
listener, of the journal, and of what the processes hold. docs/load.md has the figures.
"""
