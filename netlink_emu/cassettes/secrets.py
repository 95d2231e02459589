"""Where keys are in messages, so that they can be blanked before they reach a file.

The numbers are the UAPI's (include/uapi/linux/{wireguard,nl80211,if_macsec,ovpn,psp,seg6_genl,
tipc_netlink,xfrm,inet_diag}.h and include/net/nl802154.h), so a family's
name is enough to find them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import NAMES, Answer, Cassette, Event, Request, Stream
from netlink_emu.protocol.attributes import NLA_HDRLEN, NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NLMSGERR,
    NlMsgHdr,
)
from netlink_emu.protocol.reading.raw import NETLINK_SOCK_DIAG, NETLINK_XFRM

ANY: Final = None  # each member of an array

Path = tuple[int | None, ...]
# Returns the ranges of a message whose bytes are secret, each with its attribute's name.
Find = Callable[[int, bytes], Iterable[tuple[str, range]]]


@dataclass(frozen=True, slots=True)
class Secret:
    """An attribute that holds a key, ``skip`` bytes into its payload.

    With ``every`` the payload is an array of structs of that size, each with a key at its end.
    A payload shorter than ``least`` is not a key.
    """

    name: str
    path: Path
    skip: int = 0
    every: int = 0
    least: int = 0


_GENERIC: Final[Mapping[str, Sequence[Secret]]] = {
    "wireguard": (
        Secret("WGDEVICE_A_PRIVATE_KEY", (3,)),
        Secret("WGPEER_A_PRESHARED_KEY", (8, ANY, 2)),
    ),
    "nl80211": (
        Secret("NL80211_ATTR_KEY_DATA", (7,)),
        Secret("NL80211_KEY_DATA", (80, 1)),
        Secret("NL80211_KEY_DATA", (81, ANY, 1)),
        Secret("NL80211_REKEY_DATA_KEK", (122, 1)),
        Secret("NL80211_REKEY_DATA_KCK", (122, 2)),
        Secret("NL80211_ATTR_FILS_KEK", (242,)),
        Secret("NL80211_ATTR_FILS_ERP_RRK", (252,)),
        Secret("NL80211_ATTR_PMK", (254,)),
        Secret("NL80211_ATTR_SAE_PASSWORD", (277,)),
    ),
    "macsec": (Secret("MACSEC_SA_ATTR_KEY", (3, 4)),),
    "ovpn": (
        Secret("OVPN_A_KEYDIR_CIPHER_KEY", (3, 5, 1)),
        Secret("OVPN_A_KEYDIR_NONCE_TAIL", (3, 5, 2)),
        Secret("OVPN_A_KEYDIR_CIPHER_KEY", (3, 6, 1)),
        Secret("OVPN_A_KEYDIR_NONCE_TAIL", (3, 6, 2)),
    ),
    "psp": (
        Secret("PSP_A_KEYS_KEY", (3, 1)),
        Secret("PSP_A_KEYS_KEY", (4, 1)),
    ),
    # Of the experimental part of include/net/nl802154.h, which is not UAPI: where the keys begin
    # differs between kernels, what is in them does not.
    "nl802154": (Secret("NL802154_KEY_ATTR_BYTES", (ANY, 4), least=16),),
    "SEG6": (Secret("SEG6_ATTR_SECRET", (4,)),),
    "TIPCv2": (Secret("TIPC_NLA_NODE_KEY", (6, 4), skip=36),),  # struct tipc_aead_key
}
# struct xfrm_algo, xfrm_algo_auth and xfrm_algo_aead, before alg_key.
_XFRM: Final = (
    Secret("XFRMA_ALG_AUTH", (1,), skip=68),
    Secret("XFRMA_ALG_CRYPT", (2,), skip=68),
    Secret("XFRMA_ALG_AEAD", (18,), skip=72),
    Secret("XFRMA_ALG_AUTH_TRUNC", (20,), skip=72),
)
# The messages that have them, with the size of the struct before the attributes:
# XFRM_MSG_NEWSA, XFRM_MSG_ALLOCSPI, XFRM_MSG_EXPIRE, XFRM_MSG_UPDSA.
_XFRM_HEADERS: Final = {16: 224, 22: 232, 24: 232, 26: 224}
# struct tcp_diag_md5sig, whose last 80 bytes are the key; behind struct inet_diag_msg.
_MD5: Final = (Secret("INET_DIAG_MD5SIG", (18,), skip=20, every=100),)
_SOCK_DIAG_BY_FAMILY: Final = 20
_INET_DIAG_MSG: Final = 72
_HEADERS: Final = 2  # nlmsg_type and nlmsg_flags, before the attributes
_INET: Final = frozenset({2, 10})  # AF_INET, AF_INET6: the first byte


class KnownSecrets:
    """Finds known secrets in the messages of a kernel; ``families`` are its names by number."""

    def __init__(self, families: Mapping[int, str], order: ByteOrder) -> None:
        self._families: Final = families
        self._order: Final = order

    def __call__(self, protocol: int, message: bytes) -> Iterator[tuple[str, range]]:
        """See Find."""
        if len(message) < NLMSG_HDRLEN:
            return
        kind = int.from_bytes(message[4:6], self._order.name)
        prefix, start, secrets = self._of(protocol, kind, message)
        for secret in secrets:
            for payload in self._at(message, range(start, len(message)), secret.path):
                for part in _keys(secret, payload):
                    yield f"{prefix}.{secret.name}", part

    def _of(self, protocol: int, kind: int, message: bytes) -> tuple[str, int, Sequence[Secret]]:
        if protocol == NETLINK_GENERIC:
            family = self._families.get(kind, "")
            return family, NLMSG_HDRLEN + GENL_HDRLEN, _GENERIC.get(family, ())
        if protocol == NETLINK_XFRM and kind in _XFRM_HEADERS:
            return "xfrm", NLMSG_HDRLEN + _XFRM_HEADERS[kind], _XFRM
        if (
            protocol == NETLINK_SOCK_DIAG
            and kind == _SOCK_DIAG_BY_FAMILY
            and message[NLMSG_HDRLEN : NLMSG_HDRLEN + 1][:1] in map(_byte, _INET)
        ):
            return "sock-diag", NLMSG_HDRLEN + _INET_DIAG_MSG, _MD5
        return "", 0, ()

    def _at(self, message: bytes, within: range, path: Path) -> Iterator[range]:
        """The payloads at ``path``."""
        if not path:
            yield within
            return
        for kind, at, size in nla_walk(message, within.start, within.stop, self._order):
            if path[0] is ANY or path[0] == kind & NLA_TYPE_MASK:
                yield from self._at(message, range(at, at + size), path[1:])


class NamedSecrets:
    """Finds what users name: FAMILY.ATTRIBUTE, or PROTOCOL.ATTRIBUTE for other protocols.

    An attribute is named by its name or its number, or a path of these.
    """

    def __init__(self, cassette: Cassette, names: Iterable[str], order: ByteOrder) -> None:
        self._order: Final = order
        self._families: Final = {f.id: name for name, f in cassette.head.families.items()}
        self._fields: Final = Fields(cassette, order)
        self._names: Final = frozenset(names)

    def __call__(self, protocol: int, message: bytes) -> Iterator[tuple[str, range]]:
        """See Find."""
        if not self._names or len(message) < NLMSG_HDRLEN:
            return
        kind = int.from_bytes(message[4:6], self._order.name)
        family = NAMES.get(protocol, str(protocol))
        if protocol == NETLINK_GENERIC:
            family = self._families.get(kind, str(kind))
        if kind < NLMSG_MIN_TYPE or not any(n.startswith(f"{family}.") for n in self._names):
            return
        for each in self._fields.of(protocol, message)[_HEADERS:]:
            for name in sorted(each.names):
                if f"{family}.{name}" in self._names:
                    yield f"{family}.{name}", range(each.start + NLA_HDRLEN, each.end)
                    break


def find_in(
    cassette: Cassette, order: ByteOrder, names: Iterable[str] = (), *, known: bool = True
) -> Find:
    """Return what finds a cassette's secrets: known ones, and attributes of these names."""
    families = {family.id: name for name, family in cassette.head.families.items()}
    by_number, by_name = KnownSecrets(families, order), NamedSecrets(cassette, names, order)

    def find(protocol: int, message: bytes) -> Iterator[tuple[str, range]]:
        if known:
            yield from by_number(protocol, message)
        yield from by_name(protocol, message)

    return find


def _byte(number: int) -> bytes:
    return bytes((number,))


def _keys(secret: Secret, payload: range) -> Iterator[range]:
    if len(payload) < secret.least:
        return
    size = secret.every or len(payload)
    for start in range(payload.start, payload.stop, max(size, 1)):
        key = range(start + secret.skip, min(start + size, payload.stop))
        if key:
            yield key


def quoted(message: bytes, order: ByteOrder) -> tuple[int, bytes] | None:
    """The request that an NLMSG_ERROR quotes, and its offset, if it is more than a header."""
    start = NLMSG_HDRLEN + NLMSGERR.size
    if int.from_bytes(message[4:6], order.name) != NLMSG_ERROR:
        return None
    if len(message) < start + NLMSG_HDRLEN:
        return None
    length = int.from_bytes(message[start : start + 4], order.name)
    return start, message[start : start + length]


class Redactor:
    """Replaces secrets by zeros of the same length; ``names`` are those that it has found."""

    def __init__(self, find: Find, order: ByteOrder) -> None:
        self._find: Final = find
        self._order: Final = order
        self.names: Final[dict[str, None]] = {}

    def stream(self, stream: Stream) -> Stream:
        """Return a stream without secrets."""
        return replace(
            stream, events=tuple(self._event(stream.protocol, event) for event in stream.events)
        )

    def _event(self, protocol: int, event: Event) -> Event:
        if not isinstance(event, Request | Answer):
            return event
        data = bytearray(event.data)
        for start, header in messages(event.data, self._order):
            self._message(protocol, data, start, header)
        return replace(event, data=bytes(data))

    def _message(self, protocol: int, data: bytearray, start: int, header: NlMsgHdr) -> None:
        message = bytes(data[start : start + header.nlmsg_len])
        inner = quoted(message, self._order)
        if inner is not None:
            start, message = start + inner[0], inner[1]
        for name, part in self._find(protocol, message):
            if any(message[part.start : part.stop]):
                self.names.setdefault(name)
            data[start + part.start : start + part.stop] = bytes(len(part))
