"""What tells releases apart: in words, in probes, and in bytes."""
