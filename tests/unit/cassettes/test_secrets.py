"""Keys do not reach a file."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from netlink_emu.cassettes import Answer, Cassette, Head, RecordedFamily, Request, Stream
from netlink_emu.cassettes.read import read_cassette
from netlink_emu.cassettes.recording.finish import finished
from netlink_emu.cassettes.secrets import KnownSecrets
from netlink_emu.cassettes.write import write_cassette
from netlink_emu.protocol.format import LITTLE

KEY = bytes(range(1, 33))
FAMILIES = {
    name: RecordedFamily(40 + number)
    for number, name in enumerate(
        ("wireguard", "nl80211", "macsec", "ovpn", "psp", "SEG6", "TIPCv2", "other", "nl802154")
    )
}


def attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nest(path: Iterable[int], payload: bytes) -> bytes:
    """One attribute in the other."""
    for kind in reversed([*path]):
        payload = attr(kind, payload)
    return payload


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, 5, 9, 0) + body


def genl(family: str, body: bytes) -> bytes:
    return message(FAMILIES[family].id, b"\x01\x01\0\0" + body)


def record(protocol: int, *events: Request | Answer, **more: object) -> tuple[Cassette, str]:
    head = Head("6.18.44", families=FAMILIES, command=("wg", "set", "private-key"))
    cassette = finished(head, (Stream(protocol, 3, "wg", events),), LITTLE, **more)  # type: ignore[arg-type]
    text = write_cassette(cassette)
    assert read_cassette(text, "x") == cassette
    return cassette, text


XFRM_SKIP = bytes(68)
KEYS = [
    (16, "wireguard.WGDEVICE_A_PRIVATE_KEY", genl("wireguard", attr(1, b"wg") + attr(3, KEY))),
    (16, "wireguard.WGPEER_A_PRESHARED_KEY", genl("wireguard", nest((8, 5, 2), KEY))),
    (16, "wireguard.WGPEER_A_PRESHARED_KEY", genl("wireguard", nest((0x8008, 0x8000, 2), KEY))),
    (16, "nl80211.NL80211_ATTR_KEY_DATA", genl("nl80211", attr(7, KEY))),
    (16, "nl80211.NL80211_KEY_DATA", genl("nl80211", nest((80, 1), KEY))),
    (16, "nl80211.NL80211_KEY_DATA", genl("nl80211", nest((81, 3, 1), KEY))),
    (16, "nl80211.NL80211_REKEY_DATA_KCK", genl("nl80211", nest((122, 2), KEY))),
    (16, "nl80211.NL80211_ATTR_PMK", genl("nl80211", attr(254, KEY))),
    (16, "nl80211.NL80211_ATTR_SAE_PASSWORD", genl("nl80211", attr(277, KEY))),
    (16, "macsec.MACSEC_SA_ATTR_KEY", genl("macsec", nest((3, 4), KEY))),
    (16, "ovpn.OVPN_A_KEYDIR_CIPHER_KEY", genl("ovpn", nest((3, 5, 1), KEY))),
    (16, "psp.PSP_A_KEYS_KEY", genl("psp", nest((4, 1), KEY))),
    # Beside its id; the number of the nest is the kernel's.
    (
        16,
        "nl802154.NL802154_KEY_ATTR_BYTES",
        genl("nl802154", nest((37,), nest((1, 1), b"\2\0\0\0") + attr(4, KEY))),
    ),
    (16, "nl802154.NL802154_KEY_ATTR_BYTES", genl("nl802154", nest((41, 4), KEY))),
    (16, "SEG6.SEG6_ATTR_SECRET", genl("SEG6", attr(4, KEY))),
    (16, "TIPCv2.TIPC_NLA_NODE_KEY", genl("TIPCv2", nest((6, 4), bytes(36) + KEY))),
    (6, "xfrm.XFRMA_ALG_CRYPT", message(16, bytes(224) + attr(2, XFRM_SKIP + KEY))),
    (6, "xfrm.XFRMA_ALG_AUTH", message(26, bytes(224) + attr(1, XFRM_SKIP + KEY))),
    (6, "xfrm.XFRMA_ALG_AEAD", message(24, bytes(232) + attr(18, bytes(72) + KEY))),
    (6, "xfrm.XFRMA_ALG_AUTH_TRUNC", message(16, bytes(224) + attr(20, bytes(72) + KEY))),
    (
        4,
        "sock-diag.INET_DIAG_MD5SIG",
        message(20, b"\x02" + bytes(71) + attr(18, (bytes(20) + KEY + bytes(48)) * 2)),
    ),
]


@pytest.mark.parametrize(("protocol", "name", "data"), KEYS, ids=range(len(KEYS)))
def test_a_key_is_blanked_at_the_same_length(protocol: int, name: str, data: bytes) -> None:
    """In what is asked, in what is answered, and in what an error quotes."""
    error = struct.pack("<IHHIIi", 20 + len(data), 2, 0, 9, 7, -1) + data
    cassette, text = record(protocol, Request(data), Answer(data), Answer(error))
    [stream] = cassette.streams
    for event, before in zip(stream.events, (data, data, error), strict=True):
        assert isinstance(event, Request | Answer)
        assert KEY not in event.data
        assert event.data.replace(bytes(32), KEY).count(KEY)
        assert len(event.data) == len(before)
    assert KEY.hex() not in text.replace(" ", "").replace("\n", "")
    assert cassette.head.redacted == (name,)
    # Its arguments may tell it, too.
    assert cassette.head.command == ("wg", "...")


def test_what_is_beside_a_key_stays() -> None:
    data = genl("wireguard", attr(1, b"wg0\0") + attr(3, KEY) + attr(6, b"\x6c\xca"))
    cassette, _ = record(16, Request(data))
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert event.data == data.replace(KEY, bytes(32))


def test_a_short_attribute_is_no_key_of_802154() -> None:
    data = genl("nl802154", nest((35, 4), bytes(range(1, 9))))
    cassette, _ = record(16, Request(data))
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert event.data == data
    assert not cassette.head.redacted


def test_another_family_has_other_attributes() -> None:
    data = genl("other", attr(3, KEY) + attr(7, KEY))
    cassette, _ = record(16, Request(data))
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert (event.data, cassette.head.redacted) == (data, ())
    assert cassette.head.command == ("wg", "set", "private-key")


def test_keys_are_kept_by_request() -> None:
    data = genl("wireguard", attr(3, KEY))
    cassette, _ = record(16, Request(data), keep_secrets=True)
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert (event.data, cassette.head.redacted) == (data, ())


@pytest.mark.parametrize("name", ["other.7", "other.7/1"])
def test_more_is_blanked_by_name(name: str) -> None:
    data = genl("other", attr(3, KEY) + nest((0x8007, 1), KEY))
    cassette, _ = record(16, Request(data), redact=[name])
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert event.data.count(KEY) == 1
    assert cassette.head.redacted == (name,)


@pytest.mark.parametrize("name", ["route.IFLA_ADDRESS", "route.1"])
def test_by_the_protocols_name_where_there_are_no_families(name: str) -> None:
    data = message(16, bytes(16) + attr(3, b"eth0") + attr(1, KEY))
    cassette, _ = record(0, Request(data), redact=[name])
    [event] = cassette.streams[0].events
    assert isinstance(event, Request)
    assert event.data == data.replace(KEY, bytes(32))


@pytest.mark.parametrize(
    "data", [b"", bytes(15), bytes(16), message(40, b""), b"\xff" * 64], ids=range(5)
)
@pytest.mark.parametrize("protocol", [0, 4, 6, 16])
def test_what_is_no_message_has_no_secret(protocol: int, data: bytes) -> None:
    assert [*KnownSecrets({40: "wireguard"}, LITTLE)(protocol, data)] == []
    record(protocol, Request(data), Answer(data))
