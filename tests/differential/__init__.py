"""Differential fuzzing: random sequences on the real kernel and on the emulator, compared.

``scripts/differential --requests 20000 --seed 1`` as root.
"""
