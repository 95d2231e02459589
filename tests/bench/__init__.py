"""Measures the emulator against the limits of what it is built on; scripts/bench runs it.

A figure and its limit are measured alternately in the same run, so that what else the machine
does meets both; docs/performance.md has the results.
"""
