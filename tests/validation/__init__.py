"""Requests to the real kernel's families, and to the same families made from their recording.

What validation answers must be equal to the byte: errno, offset, policy, text, missing attribute.
Where a handler's state would answer, the comparison stops at that point, and counts it. The long
run, as root: ``PYTHONPATH=tests python -m validation --requests 20000 --seed N``.
"""
