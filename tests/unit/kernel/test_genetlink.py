"""Families of anybody's, and a request's way to them. Facts: net/netlink/genetlink.c."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EBUSY, EEXIST, EINVAL, EMSGSIZE, ENOBUFS, ENOENT, EOPNOTSUPP, EPERM
from typing import ClassVar

import pytest
from helpers.kernel import Bench, error_of, fails, make_bench

from netlink_emu.kernel.current import Current
from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_DUMP_STRICT,
    GENL_DONT_VALIDATE_STRICT,
    GENL_UNS_ADMIN_PERM,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
)
from netlink_emu.kernel.profile import FamilyIds, Profile
from netlink_emu.machine.credentials import CAP_NET_ADMIN, Cred
from netlink_emu.machine.namespaces import NetNamespace, UserNamespace
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.genetlink import GENLMSGHDR
from netlink_emu.protocol.netlink import NLM_F_ACK, NLM_F_DUMP, NLMSGHDR
from netlink_emu.protocol.policy import NlaPolicy, NlaType

U32 = NlaPolicy(NlaType.NLA_U32)


def nothing(_info: GenlInfo) -> None:
    """An operation that does not answer."""


def no_parts(_info: GenlInfo) -> Iterator[bytes]:
    """A dump of nothing."""
    return iter(())


HEADER = NLMSGHDR[LITTLE]


class Echo:
    """A family of a third party: command 1 answers with the attributes of the request."""

    def __init__(self, bench: Bench, name: str = "ECHO", **members: object) -> None:
        self.bench = bench
        self.seen: list[dict[int, bytes]] = []
        ops = (
            GenlOp(1, policy={1: U32}, maxattr=2, doit=self.doit),
            GenlOp(2, flags=GENL_UNS_ADMIN_PERM, doit=self.doit),
            GenlOp(3, dumpit=self.dumpit, policy={1: U32}, maxattr=1),
        )
        self.parts = 0
        self.part = bytes(1000)
        self.error = 0
        self.family = GenlFamily(name, 1, ops, **members)  # type: ignore[arg-type]

    def register(self) -> Echo:
        self.bench.kernel.genl.register_family(self.family)
        return self

    def doit(self, info: GenlInfo) -> None:
        self.seen.append(info.attrs)
        info.reply(info.cmd, b"\x08\0\1\0abcd", 8)

    def dumpit(self, info: GenlInfo) -> Iterator[bytes]:
        self.seen.append(info.attrs)
        return self._parts()

    def _parts(self) -> Iterator[bytes]:
        for _ in range(self.parts):
            yield self.part
        if self.error:
            raise NetlinkError(self.error)

    def ask(
        self, cmd: int, attrs: list[tuple[int, bytes]] | None = None, **kw: int
    ) -> list[bytes]:
        request = self.bench.request(self.family.id, cmd, attrs, **kw)
        return self.bench.ask(self.bench.sock(0), request)


@pytest.fixture
def echo(bench: Bench) -> Echo:
    return Echo(bench).register()


def types(datagrams: list[bytes]) -> list[int]:
    """The nlmsg_type of each message."""
    found = []
    for data in datagrams:
        offset = 0
        while offset < len(data):
            header = HEADER.decode(data, offset)
            found.append(header.nlmsg_type)
            offset += header.nlmsg_len
    return found


class TestRegistration:
    def test_a_name_and_a_number_are_one_s_own(self, bench: Bench, echo: Echo) -> None:
        genl = bench.kernel.genl
        with fails(EEXIST):
            genl.register_family(GenlFamily("ECHO", 1, ()))
        with fails(EBUSY):
            genl.register_family(GenlFamily("OTHER", 1, (), id=echo.family.id))
        with fails(ENOENT):
            genl.unregister_family(GenlFamily("ECHO", 1, ()))

    def test_gone_is_gone(self, bench: Bench, echo: Echo) -> None:
        genl = bench.kernel.genl
        genl.unregister_family(echo.family)
        assert genl.by_name("ECHO") is None
        assert error_of(echo.ask(1)) == ENOENT
        genl.register_family(echo.family)
        assert error_of(echo.ask(0)) == EOPNOTSUPP

    @pytest.mark.parametrize(
        ("ids", "reserved", "expected"),
        [
            (FamilyIds.SEQUENTIAL, False, [0x11, 0x12, 0x12]),
            (FamilyIds.SEQUENTIAL, True, [0x13, 0x14, 0x14]),
            (FamilyIds.LOWEST_FREE, True, [0x13, 0x14, 0x13]),
            (FamilyIds.CYCLIC, True, [0x13, 0x14, 0x15]),
        ],
    )
    def test_numbers(self, ids: FamilyIds, reserved: bool, expected: list[int]) -> None:
        bench = make_bench(Profile(family_ids=ids, reserved_family_ids=reserved))
        genl = bench.kernel.genl
        families = [GenlFamily(name, 1, ()) for name in "ABC"]
        for family in families[:2]:
            genl.register_family(family)
        for family in families[:2]:
            genl.unregister_family(family)
        genl.register_family(families[2])
        assert [family.id for family in families] == expected

    def test_there_are_1007_numbers(self, bench: Bench) -> None:
        genl = bench.kernel.genl
        room = 1023 - 0x13 + 1 - 1  # TASKSTATS has one of them
        for number in range(room):
            genl.register_family(GenlFamily(f"F{number}", 1, ()))
        with fails(EBUSY):
            genl.register_family(GenlFamily("ONE MORE", 1, ()))

    def test_groups_have_numbers_of_their_own(self, bench: Bench) -> None:
        first = Echo(bench, "A", mcgrps=("one", "two")).register().family
        second = Echo(bench, "B", mcgrps=tuple("abcdefghijklmno")).register().family
        third = Echo(bench, "C", mcgrps=("x",)).register().family
        assert first.mcgrp_offset == 2
        assert second.mcgrp_offset == 19  # 16, 17 and 18 are taken
        assert third.mcgrp_offset == 4


class TestGroups:
    def test_a_group_for_the_privileged(self, bench: Bench) -> None:
        family = Echo(bench, mcgrps=("a", "b"), mcgrp_caps={"b": CAP_NET_ADMIN}).register().family
        nobody = Current.of(
            bench.machine.tasks.fork(cred=Cred.for_ids(bench.machine.init_user_ns, 1, 1))
        )
        sock = bench.sock(current=nobody)
        join = [offset.to_bytes(4, "little") for offset in range(2, 5)]
        sock.setsockopt(nobody, 270, 1, join[0])
        with fails(EPERM):
            sock.setsockopt(nobody, 270, 1, join[1])
        sock.setsockopt(nobody, 270, 1, join[2])  # nobody's group
        assert sock.groups == 0b1010
        with fails(EPERM):
            bench.sock(current=nobody).bind(nobody, bench.address(0, 0b100))
        assert family.mcgrp_offset == 2
        bench.sock().bind(bench.current, bench.address(0, 0b110))

    def test_anybody_joined_before_6_8(self) -> None:
        bench = make_bench(Profile(group_capabilities=False))
        Echo(bench, mcgrps=("b",), mcgrp_caps={"b": CAP_NET_ADMIN}).register()
        nobody = Current.of(
            bench.machine.tasks.fork(cred=Cred.for_ids(bench.machine.init_user_ns, 1, 1))
        )
        bench.sock(current=nobody).bind(nobody, bench.address(0, 2))


class TestRequests:
    def test_attributes_arrive(self, echo: Echo) -> None:
        (reply,) = echo.ask(1, [(1, b"\7\0\0\0")], seq=5)
        assert echo.seen == [{1: b"\7\0\0\0"}]
        header = HEADER.decode(reply)
        assert (header.nlmsg_type, header.nlmsg_seq, header.nlmsg_pid) == (echo.family.id, 5, 4242)
        assert GENLMSGHDR[LITTLE].decode(reply, 16).cmd == 1

    @pytest.mark.parametrize(
        ("attrs", "errno"),
        [([(1, b"\0" * 5)], EINVAL), ([(1, b"")], EINVAL), ([(3, b"")], EINVAL)],
    )
    def test_a_strict_operation(
        self, echo: Echo, attrs: list[tuple[int, bytes]], errno: int
    ) -> None:
        assert error_of(echo.ask(1, attrs)) == errno
        assert echo.seen == []

    def test_without_attributes_to_parse(self, bench: Bench) -> None:
        echo = Echo(bench, resv_start_op=3).register()
        assert len(echo.ask(2, [(1, b"")])) == 1
        assert echo.seen == [{}]

    def test_an_operation_without_a_policy_takes_no_attribute(self, echo: Echo) -> None:
        assert error_of(echo.ask(2, [(1, b"")])) == EINVAL
        assert error_of(echo.ask(2, [(9, b"")])) == EINVAL
        assert len(echo.ask(2)) == 1
        assert echo.seen == [{}]

    def test_a_header_of_one_s_own(self, bench: Bench) -> None:
        echo = Echo(bench, hdrsize=8).register()
        assert error_of(echo.ask(1)) == EINVAL
        request = bench.request(echo.family.id, 1, [(0, bytes(4)), (1, b"\1\0\0\0")])
        assert len(bench.ask(bench.sock(0), request)) == 1
        assert echo.seen == [{1: b"\1\0\0\0"}]

    def test_who_owns_the_network_namespace(self, bench: Bench, echo: Echo) -> None:
        user_ns = UserNamespace(bench.machine.init_user_ns)
        cred = Cred(bench.machine.init_user_ns, 1, 1, 1, 1).in_new_user_ns(user_ns)
        theirs = bench.machine.tasks.fork(cred=cred, net=NetNamespace(user_ns))
        ours = bench.machine.tasks.fork(cred=cred)
        for task, count in ((theirs, 1), (ours, 0)):
            current = Current.of(task)
            sock = bench.sock(current=current)
            bench.ask(sock, bench.request(echo.family.id, 2), current)
            assert len(echo.seen) == count
            echo.seen.clear()

    def test_a_family_of_the_initial_namespace_alone(self, bench: Bench) -> None:
        echo = Echo(bench, netnsok=False).register()
        current = Current.of(
            bench.machine.tasks.fork(net=NetNamespace(bench.machine.init_user_ns))
        )
        sock = bench.sock(current=current)
        assert error_of(bench.ask(sock, bench.request(echo.family.id, 1), current)) == ENOENT
        by_name = bench.request(16, 3, [(2, b"ECHO\0")])
        assert error_of(bench.ask(sock, by_name, current)) == ENOENT
        assert len(echo.ask(1)) == 1

    @pytest.mark.parametrize(
        ("reserved", "flags", "errno"),
        [(1, 0, EINVAL), (0, 0x100, EINVAL), (0, 0x400, EINVAL), (0, 0x30C, EOPNOTSUPP)],
    )
    def test_strict_headers(self, bench: Bench, reserved: int, flags: int, errno: int) -> None:
        strict = Echo(bench, "STRICT", resv_start_op=2).register()
        request = bytearray(bench.request(strict.family.id, 2, flags=flags))
        request[18] = reserved
        assert error_of(bench.ask(bench.sock(0), bytes(request))[:1]) == errno
        request[16] = 1  # a command from before
        answers = bench.ask(bench.sock(0), bytes(request))
        assert types(answers)[0] == (2 if flags == 0x30C else strict.family.id)


class TestPermission:
    @pytest.mark.parametrize(("early", "errno"), [(True, EOPNOTSUPP), (False, EPERM)])
    def test_before_or_behind_the_lookup(self, early: bool, errno: int) -> None:
        bench = make_bench(Profile(lookup_before_permission=early))
        nobody = Current.of(
            bench.machine.tasks.fork(cred=Cred.for_ids(bench.machine.init_user_ns, 1, 1))
        )
        request = bench.request(0x1F, 1, flags=NLM_F_DUMP)
        assert error_of(bench.ask(bench.sock(current=nobody), request, nobody)) == errno

    def test_dumps_of_what_has_none(self) -> None:
        bench = make_bench(Profile(lookup_before_permission=False))
        request = bench.request(0x1F, 1, flags=NLM_F_DUMP)
        assert error_of(bench.ask(bench.sock(), request)) == EOPNOTSUPP

    def test_one_bit_was_enough_for_a_dump(self) -> None:
        bench = make_bench(Profile(dump_needs_both_bits=False))
        for flags, errno in ((0x100, EOPNOTSUPP), (0x200, EOPNOTSUPP), (0, EINVAL)):
            request = bench.request(0x1F, 1, flags=flags)
            assert error_of(bench.ask(bench.sock(), request)) == errno


class TestDumps:
    def test_nothing_but_the_end(self, echo: Echo) -> None:
        assert types(echo.ask(3, flags=NLM_F_DUMP | NLM_F_ACK)) == [3]

    def test_in_parts_as_they_are_read(self, bench: Bench, echo: Echo) -> None:
        echo.parts = 40
        sock = bench.sock(0)
        sock.sendmsg(bench.current, bench.request(echo.family.id, 3, flags=NLM_F_DUMP))
        assert len(sock.receive_queue) == 1
        datagrams = bench.drain(sock)
        assert types(datagrams) == [echo.family.id] * 40 + [3]
        assert len(datagrams[0]) <= 3776 < len(datagrams[1])

    def test_one_at_a_time(self, bench: Bench, echo: Echo) -> None:
        echo.parts = 40
        sock = bench.sock(0)
        request = bench.request(echo.family.id, 3, flags=NLM_F_DUMP)
        sock.sendmsg(bench.current, request)
        sock.sendmsg(bench.current, request)
        bench.drain(sock)
        # The second was refused while the first went on; its error stood behind the first part.
        assert sock.dump is None
        assert len(echo.seen) == 1

    def test_what_is_wrong_from_the_start(self, bench: Bench, echo: Echo) -> None:
        # Strict unless declared otherwise: a u32 of five bytes, or of two.
        for size in (5, 2):
            assert error_of(echo.ask(3, [(1, bytes(size))], flags=NLM_F_DUMP)) == EINVAL
        assert echo.seen == []

    def test_what_goes_wrong_under_way(self, bench: Bench, echo: Echo) -> None:
        echo.parts, echo.error = 1, ENOBUFS
        answers = echo.ask(3, flags=NLM_F_DUMP)
        assert types(answers) == [echo.family.id, 3]
        done = answers[-1][-4:]
        assert int.from_bytes(done, "little", signed=True) == -ENOBUFS

    def test_a_part_too_large_for_any_datagram(self, echo: Echo) -> None:
        echo.parts, echo.part = 1, bytes(40_000)
        answers = echo.ask(3, flags=NLM_F_DUMP)
        assert types(answers) == [3]
        assert int.from_bytes(answers[-1][16:20], "little", signed=True) == -90  # EMSGSIZE

    def test_no_room_to_go_on(self, bench: Bench, echo: Echo) -> None:
        """A dump whose next part cannot be charged ends in ENOBUFS at the socket."""
        echo.parts = 40
        sock = bench.sock(7)
        sock.setsockopt(bench.current, 1, 8, (2304).to_bytes(4, "little"))
        sock.sendmsg(bench.current, bench.request(echo.family.id, 3, flags=NLM_F_DUMP))
        first = sock.recvmsg(1 << 16)
        assert types([first.data]) == [echo.family.id] * 3
        rest = bench.drain(sock)
        assert types(rest)[-1] == 3

    def test_closed_meanwhile(self, bench: Bench, echo: Echo) -> None:
        echo.parts = 40
        sock = bench.sock(0)
        sock.sendmsg(bench.current, bench.request(echo.family.id, 3, flags=NLM_F_DUMP))
        sock.release()
        sock.release()
        assert (sock.dump, len(sock.receive_queue)) == (None, 0)


class TestKinds:
    """Full and split operations, their strictness, what a dump has room for."""

    POLICY: ClassVar = {1: U32}
    LONG: ClassVar = [(1, bytes(5))]  # tolerated by whoever is liberal

    def outcome(self, op: GenlOp | GenlSplitOp, profile: Profile, **members: object) -> int:
        """The errno of a request with five bytes for a u32; 0 if the operation was called."""
        bench = make_bench(profile)
        family = GenlFamily("F", 1, (op,), **members)  # type: ignore[arg-type]
        bench.kernel.genl.register_family(family)
        flags = 4 if op.doit is not None else 0x300
        answers = bench.ask(bench.sock(0), bench.request(family.id, 1, self.LONG, flags=flags))
        return -int.from_bytes(answers[-1][16:20], "little", signed=True)

    @pytest.mark.parametrize(
        ("op", "strict", "liberal"),
        [
            (GenlOp(1, policy=POLICY, maxattr=1, doit=nothing), EINVAL, 0),
            (GenlOp(1, policy=POLICY, maxattr=1, doit=nothing,
                    validate=GENL_DONT_VALIDATE_STRICT), 0, 0),
            (GenlOp(1, policy=POLICY, maxattr=1, dumpit=no_parts), EINVAL, 0),
            (GenlOp(1, policy=POLICY, maxattr=1, dumpit=no_parts,
                    validate=GENL_DONT_VALIDATE_DUMP_STRICT), 0, 0),
            (GenlOp(1, policy=POLICY, maxattr=1, dumpit=no_parts,
                    validate=GENL_DONT_VALIDATE_DUMP), 0, 0),
            (GenlSplitOp(1, policy=POLICY, maxattr=1, dumpit=no_parts,
                         validate=GENL_DONT_VALIDATE_DUMP), EINVAL, 0),
            (GenlSplitOp(1, policy=POLICY, maxattr=1, doit=nothing), EINVAL, 0),
            (GenlOp(1, doit=nothing), EINVAL, EINVAL),
            (GenlSplitOp(1, doit=nothing), 0, 0),
        ],
        ids=range(9),
    )  # fmt: skip
    def test_strictness(self, op: GenlOp | GenlSplitOp, strict: int, liberal: int) -> None:
        assert self.outcome(op, Profile()) == strict
        assert self.outcome(op, Profile(strict_families=False)) == liberal
        always = self.outcome(op, Profile(strict_families=False), always_strict=True)
        assert always == self.outcome(op, Profile(), always_strict=True)

    def test_a_split_operation_without_a_policy_rejects_from_7_1_on(self) -> None:
        op = GenlSplitOp(1, doit=nothing)
        assert self.outcome(op, Profile(split_ops_reject=True)) == EINVAL

    def test_a_family_s_policy_is_that_of_its_operations(self) -> None:
        op = GenlOp(1, doit=nothing)
        assert self.outcome(op, Profile(), policy=self.POLICY, maxattr=1) == EINVAL
        liberal = GenlOp(1, doit=nothing, validate=GENL_DONT_VALIDATE_STRICT)
        assert self.outcome(liberal, Profile(), policy=self.POLICY, maxattr=1) == 0

    def test_a_half_is_one_half(self) -> None:
        with pytest.raises(ValueError, match="a doit or a dumpit, not both"):
            GenlSplitOp(1, doit=nothing, dumpit=no_parts)

    def test_a_dump_can_ask_for_room(self, bench: Bench) -> None:
        def dumpit(_info: GenlInfo) -> Iterator[bytes]:
            yield bytes(9000)

        ops = (GenlOp(1, dumpit=dumpit), GenlOp(2, dumpit=dumpit, min_dump_alloc=16384))
        family = GenlFamily("F", 1, ops)
        bench.kernel.genl.register_family(family)
        (done,) = bench.ask(bench.sock(0), bench.request(family.id, 1, flags=0x300))
        assert -int.from_bytes(done[16:20], "little", signed=True) == EMSGSIZE
        data, done = bench.ask(bench.sock(0), bench.request(family.id, 2, flags=0x300))
        assert len(data) == 9016
        assert done[16:20] == bytes(4)

    def test_what_a_parse_said_is_not_told_at_a_dump_s_end(self, bench: Bench) -> None:
        policy, op = {1: U32}, GENL_DONT_VALIDATE_DUMP_STRICT
        family = GenlFamily(
            "F", 1, (GenlOp(1, dumpit=no_parts, policy=policy, maxattr=1, validate=op),)
        )
        bench.kernel.genl.register_family(family)
        sock = bench.sock(0)
        sock.setsockopt(bench.current, 270, 11, b"\1\0\0\0")  # NETLINK_EXT_ACK
        request = bytearray(bench.request(family.id, 1, flags=0x300) + b"xx")
        request[0] += 2
        (done,) = bench.ask(sock, bytes(request))
        assert len(done) == 20  # no "bytes leftover after parsing attributes"

    def test_groups_and_numbers_that_were_there_before(self, bench: Bench) -> None:
        offsets = {}
        for name in ("NET_DM", "VFS_DQUOT", "pmcraid", "OTHER"):
            family = GenlFamily(name, 1, (), mcgrps=("events",))
            bench.kernel.genl.register_family(family)
            offsets[name] = family.mcgrp_offset
        assert offsets == {"NET_DM": 1, "VFS_DQUOT": 17, "pmcraid": 18, "OTHER": 2}
