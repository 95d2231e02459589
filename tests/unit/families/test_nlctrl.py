"""nlctrl: what it says of families, and to whom. Facts: net/netlink/genetlink.c."""

from __future__ import annotations

import dataclasses
from errno import EINVAL, ENODATA, ENOENT, EOPNOTSUPP

import pytest
from helpers.kernel import KERNEL, Bench, error_of, make_bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlOp
from netlink_emu.kernel.profile import GetfamilyAttrs, Getpolicy, Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.namespaces import NetNamespace
from netlink_emu.protocol.attributes import nla_walk
from netlink_emu.protocol.netlink import NLM_F_DUMP, NLM_F_DUMP_INTR
from netlink_emu.protocol.policy import NlaPolicy, NlaType
from netlink_emu.protocol.reading.decode import Attribute, Decoder, Message

GETFAMILY, GETPOLICY = 3, 10


def messages(datagrams: list[bytes]) -> list[Message]:
    return [message for datagram in datagrams for message in Decoder().datagram(datagram)]


def plain(attrs: tuple[Attribute, ...]) -> dict[str, object]:
    """Names and values, nests as dicts of their own."""
    return {
        attr.label: plain(attr.value) if isinstance(attr.value, tuple) else attr.value
        for attr in attrs
    }


def taskstats_of(profile: Profile) -> bytes:
    """What GETFAMILY says of TASKSTATS, without its headers."""
    bench = make_bench(profile)
    (reply,) = bench.ask(bench.sock(0), bench.request(16, GETFAMILY, [(2, b"TASKSTATS\0")]))
    return reply[20:]


class TestGetfamily:
    def test_by_name_by_number_and_by_both(self, bench: Bench) -> None:
        sock = bench.sock(0)
        name, number = (2, b"TASKSTATS\0"), (1, b"\x10\0")
        by_name = bench.ask(sock, bench.request(16, GETFAMILY, [name]))
        by_number = bench.ask(sock, bench.request(16, GETFAMILY, [(1, b"\x1f\0")]))
        by_both = bench.ask(sock, bench.request(16, GETFAMILY, [number, name]))
        assert by_name == by_number == by_both

    @pytest.mark.parametrize(
        ("attrs", "errno"),
        [
            ([], EINVAL),
            ([(2, b"NOBODY\0")], ENOENT),
            ([(2, b"taskstats\0")], ENOENT),
            ([(2, b"\xff\xfe\0")], ENOENT),
            ([(2, b"\0")], ENOENT),
            ([(1, b"\xff\xff")], ENOENT),
            ([(2, b"TASKSTATS")], EINVAL),
        ],
    )
    def test_nobody(self, bench: Bench, attrs: list[tuple[int, bytes]], errno: int) -> None:
        assert error_of(bench.ask(bench.sock(0), bench.request(16, GETFAMILY, attrs))) == errno

    def test_as_much_as_the_era_tells(self) -> None:
        name_id = Profile(getfamily_attrs=GetfamilyAttrs.NAME_ID)
        assert [kind for kind, _, _ in attributes(taskstats_of(name_id))] == [2, 1]
        full = attributes(taskstats_of(Profile()))
        assert [kind for kind, _, _ in full] == [2, 1, 3, 4, 5, 6]
        flags = taskstats_of(Profile(getfamily_attrs=GetfamilyAttrs.FLAG_OPS))
        ops = next(payload for kind, _, payload in attributes(flags) if kind == 6)
        first = attributes(attributes(ops)[0][2])
        # 2.6.19: OP_ID, OP_FLAGS, then a flag attribute for the policy and one for the doit.
        assert [(kind, length) for kind, length, _ in first] == [(1, 4), (2, 4), (3, 0), (4, 0)]
        assert first[1][2] == b"\1\0\0\0"

    def test_a_dump_as_a_flag(self) -> None:
        bench = make_bench(Profile(getfamily_attrs=GetfamilyAttrs.FLAG_OPS))
        (reply,) = bench.ask(bench.sock(0), bench.request(16, GETFAMILY, [(1, b"\x10\0")]))
        ops = next(payload for kind, _, payload in attributes(reply[20:]) if kind == 6)
        assert [kind for kind, _, _ in attributes(attributes(ops)[0][2])] == [1, 2, 3, 4, 5]


def attributes(data: bytes) -> list[tuple[int, int, bytes]]:
    return [(kind, n, data[at : at + n]) for kind, at, n in nla_walk(data, 0, len(data))]


class TestDump:
    def dump(self, bench: Bench, seq: int = 1) -> list[bytes]:
        request = bench.request(16, GETFAMILY, flags=NLM_F_DUMP, seq=seq)
        return bench.ask(bench.sock(0), request)

    def test_all_of_them(self, bench: Bench) -> None:
        found = messages(self.dump(bench, seq=9))
        names = [message.find("CTRL_ATTR_FAMILY_NAME") for message in found[:-1]]
        assert [name.value for name in names if name] == ["nlctrl", "TASKSTATS"]
        assert found[-1].error == 0
        assert {message.header.nlmsg_seq for message in found} == {9}

    def test_the_end_shares_a_datagram_since_6_10(self, bench: Bench) -> None:
        assert len(self.dump(bench)) == 1
        assert len(self.dump(make_bench(Profile(done_shares_datagram=False)))) == 2

    def test_in_order_of_numbers_or_of_buckets(self) -> None:
        for by_id, expected in ((True, [16, 31, 0x20]), (False, [16, 0x20, 31])):
            bench = make_bench(Profile(families_dumped_by_id=by_id))
            bench.kernel.genl.register_family(GenlFamily("X", 1, (), id=0x20))
            found = [m.find("CTRL_ATTR_FAMILY_ID") for m in messages(self.dump(bench))[:-1]]
            assert [number.value for number in found if number] == expected

    @pytest.mark.parametrize("release", ["7.2", "6.18", "4.14", "4.4", "2.6.32"])
    def test_families_that_go_meanwhile(self, release: str) -> None:
        profile = dataclasses.replace(profile_for(release), dump_grows_with_reads=False)
        bench = make_bench(profile)
        families = [GenlFamily(f"FAMILY{number:09}", 1, ()) for number in range(300)]
        for family in families:
            bench.kernel.genl.register_family(family)
        sock = bench.sock(0)
        request = bench.request(16, GETFAMILY, flags=NLM_F_DUMP)
        sock.sendmsg(bench.current, request, addr=bench.address(0))
        before = [sock.recvmsg(1 << 16).data]
        before += [skb.data for skb in sock.receive_queue]  # the next part is queued by then
        shown = {m.find("CTRL_ATTR_FAMILY_NAME").value for m in messages(before)}  # type: ignore[union-attr]
        gone = families[1::3]
        for family in gone:
            bench.kernel.genl.unregister_family(family)
        rest = messages(bench.drain(sock)[len(before) - 1 :])
        assert rest[-1].type_name == "NLMSG_DONE"
        assert not any(message.header.nlmsg_flags & NLM_F_DUMP_INTR for message in rest)
        names = [m.find("CTRL_ATTR_FAMILY_NAME").value for m in rest[:-1]]  # type: ignore[union-attr]
        assert len(set(names)) == len(names) > 50
        assert not set(names) & ({family.name for family in gone} | shown)
        # By numbers as many more are left out as have gone of those that were shown.
        stay = {f.name for f in families} - {f.name for f in gone} - shown
        lost = len(shown & {f.name for f in gone}) if profile.families_dumped_by_id else 0
        assert len(stay - set(names)) == lost

    def test_4_10_lost_the_family_that_did_not_fit(self) -> None:
        counts = []
        for loses in (False, True):
            bench = make_bench(
                Profile(dump_resume_loses_family=loses, dump_grows_with_reads=False)
            )
            for number in range(60):
                bench.kernel.genl.register_family(GenlFamily(f"FAMILY{number:09}", 1, ()))
            counts.append(len(messages(self.dump(bench))))
        assert counts[0] == 63
        assert 60 <= counts[1] < 63


class TestNotifications:
    def follow(self, bench: Bench) -> NetlinkSock:
        sock = bench.sock(0)
        sock.setsockopt(bench.current, 270, 1, b"\x10\0\0\0")
        return sock

    def family(self) -> GenlFamily:
        return GenlFamily("X", 3, (GenlOp(1, doit=lambda info: None),), mcgrps=("one", "two"))

    @pytest.mark.parametrize("whole", [True, False])
    def test_come_and_gone(self, whole: bool) -> None:
        bench = make_bench(Profile(families_announced_whole=whole))
        sock, family = self.follow(bench), self.family()
        bench.kernel.genl.register_family(family)
        came = messages(bench.drain(sock))
        assert [m.cmd for m in came] == [
            "CTRL_CMD_NEWFAMILY", "CTRL_CMD_NEWMCAST_GRP", "CTRL_CMD_NEWMCAST_GRP",
        ]  # fmt: skip
        assert (came[0].find("CTRL_ATTR_OPS") is not None) == whole
        groups = [m.find("CTRL_ATTR_MCAST_GRP_NAME") for m in came[1:]]
        assert [group.value for group in groups if group] == ["one", "two"]
        bench.kernel.genl.unregister_family(family)
        assert [m.cmd for m in messages(bench.drain(sock))] == [
            "CTRL_CMD_DELMCAST_GRP", "CTRL_CMD_DELMCAST_GRP", "CTRL_CMD_DELFAMILY",
        ]  # fmt: skip

    def test_not_before_2_6_23(self) -> None:
        bench = make_bench(Profile(notify_group=False))
        sock = self.follow(bench)
        bench.kernel.genl.register_family(self.family())
        assert not sock.receive_queue


class TestGetpolicy:
    def ask(self, bench: Bench, attrs: list[tuple[int, bytes]]) -> list[Message]:
        request = bench.request(16, GETPOLICY, attrs, flags=NLM_F_DUMP)
        return messages(bench.ask(bench.sock(0), request))

    def test_of_every_operation(self, bench: Bench) -> None:
        found = self.ask(bench, [(2, b"TASKSTATS\0")])
        ops = [m.find("CTRL_ATTR_OP_POLICY") for m in found if m.find("CTRL_ATTR_OP_POLICY")]
        assert len(ops) == 2
        described = [m for m in found if m.find("CTRL_ATTR_POLICY")]
        assert len(described) == 5  # four of the one operation, one of the other
        assert found[-1].error == 0

    def test_of_one(self, bench: Bench) -> None:
        found = self.ask(bench, [(2, b"TASKSTATS\0"), (10, b"\4\0\0\0")])
        assert len(found) == 3
        op = found[0].find("CTRL_ATTR_OP_POLICY")
        assert op is not None
        assert [attr.type & 0x3FFF for attr in op.value] == [4]

    def test_the_number_wins(self, bench: Bench) -> None:
        by_number = self.ask(bench, [(1, b"\x1f\0"), (2, b"nlctrl\0")])
        assert len(by_number) == len(self.ask(bench, [(2, b"TASKSTATS\0")]))

    @pytest.mark.parametrize("release", ["5.10", "5.18", "6.18", "7.3"])
    def test_in_another_network_namespace(self, release: str) -> None:
        """ctrl_dumppolicy_start() does not ask whether the family exists there."""
        bench = make_bench(profile_for(release))
        net = NetNamespace(bench.machine.init_user_ns)
        other = Current.of(bench.machine.tasks.fork(pid=777, net=net))
        sock = bench.sock(0, other)
        request = bench.request(16, GETPOLICY, [(2, b"TASKSTATS\0")], flags=NLM_F_DUMP)
        found = messages(bench.ask(sock, request, other))
        assert len(found) == 8
        assert found[-1].error == 0

    def test_nests_are_marked_as_such_from_the_first_release_on(self) -> None:
        """nla_nest_start() of net/netlink/policy.c, 5.8."""
        bench = make_bench(profile_for("5.8"))
        request = bench.request(16, GETPOLICY, [(2, b"nlctrl\0")], flags=NLM_F_DUMP)
        datagram = bench.ask(bench.sock(0), request)[0]
        kinds = [int.from_bytes(datagram[at : at + 2], "little") for at in (30, 34, 38)]
        assert kinds == [0x8008, 0x8000, 0x8001]

    @pytest.mark.parametrize(
        ("size", "pads"),
        [
            (3776, [False, True]),
            # skb_reserve() leaves 8192 - 320 - size bytes free in front, so that the address of
            # the first byte is not a multiple of 8.
            (4804, [True, True]),
            (4805, [False, False]),
        ],
    )
    def test_numbers_are_aligned_where_the_machine_wants_it(
        self, size: int, pads: list[bool]
    ) -> None:
        bench = make_bench(profile_for("6.18", arch="riscv64"))
        sock = bench.sock(0)
        sock.max_recvmsg_len = size
        attrs = [(1, b"\x1f\0"), (10, b"\4\0\0\0")]
        sock.sendmsg(
            bench.current, bench.request(16, GETPOLICY, attrs, flags=NLM_F_DUMP), addr=KERNEL
        )
        datagram = sock.recvmsg(size).data
        # The operation's message has 44 bytes; an id of 8, nests, and headers of 20.
        assert len(datagram) == 44 + 72 + 4 * sum(pads)
        pad = b"\4\0\x0b\0"
        at = 44 + 40
        for is_padded, kind in zip(pads, (4, 5), strict=True):
            assert (datagram[at : at + 4] == pad) == is_padded
            at += 4 * is_padded
            assert datagram[at : at + 4] == bytes([12, 0, kind, 0])
            at += 12

    def test_a_dump_s_policy_and_none(self, bench: Bench) -> None:
        def dumpit(info: GenlInfo) -> object:
            raise AssertionError

        policy = {1: NlaPolicy(NlaType.NLA_BINARY, 7)}
        ops = (
            GenlOp(1, policy=policy, maxattr=1, doit=lambda info: None),
            GenlOp(2, doit=lambda info: None),
            GenlOp(3, dumpit=dumpit, policy=policy, maxattr=1),  # type: ignore[arg-type]
        )
        bench.kernel.genl.register_family(GenlFamily("X", 1, ops, resv_start_op=9))
        found = self.ask(bench, [(2, b"X\0")])
        assert [
            [attr.type & 0x3FFF for attr in nest.value]
            for m in found
            if (nest := m.find("CTRL_ATTR_OP_POLICY"))
        ] == [[1], [0]]  # ctrl_dumppolicy_put_op() knows a command by its doit
        (shared,) = [m for m in found if m.find("CTRL_ATTR_POLICY")]
        length = shared.find("NL_POLICY_TYPE_ATTR_MAX_LENGTH")
        assert length is not None
        assert length.value == 7
        bench.kernel.genl.register_family(GenlFamily("Y", 1, ops[1:2], resv_start_op=9))
        assert error_of_dump(bench, [(2, b"Y\0")]) == ENODATA

    def test_an_operation_that_is_not(self, bench: Bench) -> None:
        sock = bench.sock(0)
        sock.setsockopt(bench.current, 270, 11, b"\1\0\0\0")  # NETLINK_EXT_ACK
        attrs = [(2, b"TASKSTATS\0"), (10, b"\2\0\0\0")]
        (error,) = messages(bench.ask(sock, bench.request(16, GETPOLICY, attrs, flags=NLM_F_DUMP)))
        assert error.error == -ENOENT
        offset = error.find("NLMSGERR_ATTR_OFFS")
        assert offset is not None
        assert offset.value == 36  # of the attribute, from the request's start

    def test_its_own_alone_in_5_8(self) -> None:
        bench = make_bench(Profile(getpolicy=Getpolicy.FAMILY, per_op_policy=False))
        found = self.ask(bench, [(2, b"nlctrl\0")])
        assert len(found) == 3
        assert found[-1].error == 0
        # What is wrong is known when the dump has begun.
        for name, errno in ((b"TASKSTATS\0", ENODATA), (b"NOBODY\0", ENOENT)):
            (done,) = self.ask(bench, [(2, name)])
            assert (done.type_name, done.error) == ("NLMSG_DONE", -errno)

    def test_not_before_5_8(self) -> None:
        bench = make_bench(Profile(getpolicy=Getpolicy.ABSENT))
        assert error_of_dump(bench, [(2, b"nlctrl\0")]) == EOPNOTSUPP


def error_of_dump(bench: Bench, attrs: list[tuple[int, bytes]]) -> int:
    request = bench.request(16, GETPOLICY, attrs, flags=NLM_F_DUMP)
    return error_of(bench.ask(bench.sock(0), request))
