"""Requests by chance: right, and wrong in every way that validation looks at."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netlink_emu.families.own.recording import RecordedFamily, RecordedOp
from netlink_emu.protocol.attributes import NLA_F_NESTED, AttrWriter
from netlink_emu.protocol.format import LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import GENLMSGHDR, GenlOpFlags
from netlink_emu.protocol.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSGHDR, NlMsgHdr
from netlink_emu.protocol.policy import NlaPolicy, NlaType, NlaValidation, Policy
from netlink_emu.protocol.policy.declare import NESTS, SIGNED_BITS, UNSIGNED_BITS

_STRAY_FLAGS: Final = (0x400, 0x800, 0x8000, 0x10)


@dataclass(frozen=True, slots=True)
class Request:
    """One message; ``wrong`` is what is meant to be wrong with it."""

    family: str
    cmd: int
    dump: bool
    extack: bool
    wrong: str
    data: bytes


class Maker:
    """Makes requests to recorded families; the same seed makes the same ones."""

    def __init__(
        self, families: Mapping[str, RecordedFamily], seed: int, order: ByteOrder = LITTLE
    ) -> None:
        self._families: Final = families
        self._random: Final = random.Random(seed)
        self._order: Final = order

    def make(self) -> Request:
        """The next request."""
        chance = self._random
        family = self._families[chance.choice([*self._families])]
        ops = family.ops
        if not ops or chance.random() < 0.02:
            return self._message(family, chance.randrange(256), {}, "any command")
        op = chance.choice(ops)
        dump = GenlOpFlags.GENL_CMD_CAP_DUMP in op.flags and (
            GenlOpFlags.GENL_CMD_CAP_DO not in op.flags or chance.random() < 0.4
        )
        policy, highest = self._policy(family, op, dump=dump)
        wrong = chance.choice(_WAYS)
        attrs = self._attributes(policy, highest, wrong)
        return self._message(family, op.cmd, {"dump": dump, "attrs": attrs}, wrong)

    def _policy(self, family: RecordedFamily, op: RecordedOp, *, dump: bool) -> tuple[Policy, int]:
        number = op.dump if dump and op.dump is not None else op.do
        policy, highest = family.policy(number if number is not None else op.dump)
        return policy or {}, highest

    def _message(
        self, family: RecordedFamily, cmd: int, what: dict[str, object], wrong: str
    ) -> Request:
        chance, order = self._random, self._order
        dump = bool(what.get("dump"))
        attrs = what.get("attrs", b"")
        assert isinstance(attrs, bytes)
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        reserved = 0
        if wrong == "stray flags":
            flags |= chance.choice(_STRAY_FLAGS)
        if wrong == "reserved":
            reserved = chance.randrange(1, 1 << 16)
        if wrong == "trailing bytes":
            attrs += chance.randbytes(chance.randrange(1, 4))
        if wrong == "cut short" and attrs:
            attrs = attrs[: -chance.randrange(1, min(len(attrs), 12) + 1)]
        version = chance.choice((0, 1, family.version))
        body = GENLMSGHDR[order].pack(cmd, version, reserved) + bytes(family.hdrsize) + attrs
        header = NlMsgHdr(16 + len(body), family.id, flags, 1, 0)
        data = NLMSGHDR[order].encode(header) + body
        return Request(family.name, cmd, dump, chance.random() < 0.8, wrong, data)

    # --- attributes

    def _attributes(self, policy: Policy, highest: int, wrong: str) -> bytes:
        chance = self._random
        writer = AttrWriter(self._order)
        known = [number for number in policy if number]
        chosen = [number for number in known if chance.random() < 0.5]
        if wrong == "nothing there":
            chosen = []
        if wrong in ("a bad value", "a bad length", "wrong nest flag", "bad inside") and known:
            victim = chance.choice(known)
            chosen = [number for number in chosen if number != victim] + [victim]
        else:
            victim = -1
        chance.shuffle(chosen)
        for number in chosen:
            self._put(writer, number, policy[number], wrong if number == victim else "", 0)
        if wrong == "unknown type":
            number = chance.choice((0, highest + 1, highest + 7, 0x3FFF))
            writer.put(number | chance.choice((0, NLA_F_NESTED)), chance.randbytes(4))
        if wrong == "unspecified type" and highest:
            writer.put(chance.randrange(1, highest + 1), chance.randbytes(chance.randrange(9)))
        if wrong == "junk":
            return bytes(writer.data) + chance.randbytes(chance.randrange(40))
        return bytes(writer.data)

    def _put(
        self, writer: AttrWriter, number: int, rule: NlaPolicy, wrong: str, depth: int
    ) -> None:
        chance = self._random
        flags = NLA_F_NESTED if rule.type in NESTS else 0
        if wrong == "wrong nest flag":
            flags ^= NLA_F_NESTED
        if chance.random() < 0.05:
            flags |= 0x4000
        if wrong == "a bad length":
            writer.put(number | flags, chance.randbytes(chance.choice((0, 1, 2, 3, 5, 7, 9, 17))))
            return
        writer.put(number | flags, self._payload(rule, wrong, depth))

    def _payload(self, rule: NlaPolicy, wrong: str, depth: int) -> bytes:
        chance, kind = self._random, rule.type
        if kind in NESTS:
            return self._nest(rule, wrong, depth)
        if kind in UNSIGNED_BITS or kind in SIGNED_BITS:
            return self._number(rule, wrong)
        if kind is NlaType.NLA_FLAG:
            return b"x" if wrong else b""
        if kind in (NlaType.NLA_STRING, NlaType.NLA_NUL_STRING):
            most = rule.len or 20
            length = most + chance.randrange(1, 9) if wrong else chance.randrange(1, most + 1)
            end = b"" if wrong and chance.random() < 0.5 else b"\0"
            return bytes(chance.choices(b"abcdefgh0", k=length)) + end
        if kind is NlaType.NLA_BITFIELD32:
            return chance.randbytes(8)
        least, most = rule.limits if rule.validation else (0, rule.len or 32)
        if wrong:
            return chance.randbytes(chance.choice((max(least - 1, 0), min(most, 300) + 1)))
        return chance.randbytes(chance.randint(least, min(most, least + 40)))

    def _number(self, rule: NlaPolicy, wrong: str) -> bytes:
        chance = self._random
        bits = UNSIGNED_BITS.get(rule.type) or SIGNED_BITS[rule.type]
        size = bits // 8
        if rule.type in (NlaType.NLA_UINT, NlaType.NLA_SINT):
            size = chance.choice((4, 8))
        if wrong:
            return chance.randbytes(size)
        if rule.validation is NlaValidation.NLA_VALIDATE_MASK:
            value = chance.getrandbits(bits) & rule.mask
        else:
            value = chance.choice((*rule.limits, chance.randint(*rule.limits)))
        value &= (1 << 8 * size) - 1
        return value.to_bytes(size, self._order.name)

    def _nest(self, rule: NlaPolicy, wrong: str, depth: int) -> bytes:
        chance = self._random
        if wrong == "a bad value":
            return chance.randbytes(chance.randrange(1, 20))
        if depth > 3 or not rule.nested:
            return b""
        inner = chance.choice(_WAYS) if wrong == "bad inside" else ""
        attrs = self._attributes(rule.nested, rule.len, inner)
        if inner == "trailing bytes":
            attrs += chance.randbytes(chance.randrange(1, 4))
        if rule.type is NlaType.NLA_NESTED:
            return attrs
        writer = AttrWriter(self._order)
        for index in range(chance.randrange(3)):
            writer.put(index, attrs)
        return bytes(writer.data)


_WAYS: Final = (
    "", "", "nothing there", "unknown type", "unspecified type", "a bad value", "a bad value",
    "a bad length", "a bad length", "wrong nest flag", "bad inside", "bad inside",
    "trailing bytes", "cut short", "junk", "stray flags", "reserved",
)  # fmt: skip
