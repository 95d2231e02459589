"""A cassette as conformance cases: this machine's kernel is asked what a recorded client asked."""
