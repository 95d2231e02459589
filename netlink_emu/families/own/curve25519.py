"""The public key of a private one, as WireGuard derives it: X25519 of RFC 7748.

Do not use this for real secrets: the time that it takes depends on the key.
"""

from __future__ import annotations

from typing import Final

KEY_SIZE: Final = 32
_PRIME: Final = (1 << 255) - 19
_A24: Final = 121665
_BASE: Final = 9


def public_key(private: bytes) -> bytes:
    """curve25519_generate_public() for 32 bytes; a key of zeros gives zeros."""
    if not any(private):
        return bytes(KEY_SIZE)
    scalar = int.from_bytes(private, "little")
    scalar &= ~(7 | 1 << 255)
    scalar |= 1 << 254
    x2, z2, x3, z3 = 1, 0, _BASE, 1
    swapped = 0
    for at in reversed(range(255)):
        bit = scalar >> at & 1
        if bit != swapped:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        added, taken = (x2 + z2) % _PRIME, (x2 - z2) % _PRIME
        crossed = taken * (x3 + z3) % _PRIME
        other = added * (x3 - z3) % _PRIME
        square, rest = added * added % _PRIME, taken * taken % _PRIME
        between = (square - rest) % _PRIME
        x3 = (other + crossed) ** 2 % _PRIME
        z3 = _BASE * (other - crossed) ** 2 % _PRIME
        x2 = square * rest % _PRIME
        z2 = between * (square + _A24 * between) % _PRIME
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, _PRIME) % _PRIME).to_bytes(KEY_SIZE, "little")
