"""The differences between releases: in words, in probes, and in bytes."""
