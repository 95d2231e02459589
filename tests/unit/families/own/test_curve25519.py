"""X25519: what both sides of a connection rely upon."""

from __future__ import annotations

from netlink_emu.families.own.curve25519 import public_key


def test_a_key_that_is_zero_has_none() -> None:
    assert public_key(bytes(32)) == bytes(32)


def test_bits_that_are_clamped_do_not_matter() -> None:
    key = bytes(range(32))
    other = bytes([key[0] | 7, *key[1:31], key[31] | 0x80])
    assert public_key(key) == public_key(other)
    assert public_key(key) != public_key(bytes([8, *key[1:]]))
    assert len(public_key(key)) == 32


def test_a_key_that_wg_pubkey_derived() -> None:
    private = bytes.fromhex("688bc465de502f88844ae4985456b555a8cb402b599ec580bea84282325d877f")
    expected = "19357c25a078e2470ea02ead1c34579a07f40e8117687aac9289394be2908b27"
    assert public_key(private).hex() == expected
