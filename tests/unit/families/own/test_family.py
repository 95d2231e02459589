"""A family of one's own: how it is declared, what a client gets from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import EINVAL, EIO, ENODEV, ENOTTY, EOPNOTSUPP, EPERM, ERANGE
from typing import Any

import pytest
from helpers.kernel import Bench, error_of, make_bench

from netlink_emu.families.own import Family, Request
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.credentials import Cred
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    Exchange,
    FamilyDeclaration,
    McastGroup,
    Member,
    Operation,
    Struct,
    decode,
    encode,
)
from netlink_emu.protocol.netlink import NLM_F_DUMP, NLM_F_REQUEST

NETLINK_EXT_ACK = 11
RGB = AttributeSet("rgb", Attribute("red", "u8"), Attribute("green", "u8"))
LAMP = AttributeSet(
    "lamp",
    Attribute("name", "string", max_len=15),
    Attribute("level", "u8"),
    Attribute("hours", "u64"),
    Attribute("colour", nested=RGB),
)


def make_lamp() -> Family:
    lamp = Family(
        "LAMP", version=2, attributes=LAMP, groups=["events"],
        state={
            "desk": {"level": 3, "hours": 1 << 40, "colour": {"red": 255}},
            "hall": {"level": 0},
        },
    )  # fmt: skip

    @lamp.do("get", request=["name"])
    def get(lamp: Family, request: Request) -> dict[str, Any]:
        name = request["name"]
        if name not in lamp.state:
            raise NetlinkError("ENODEV", "there is no such lamp", attr="name")
        return {"name": name, **lamp.state[name]}

    @lamp.dump("get", request=[])
    def dump(lamp: Family, _request: Request) -> Iterator[dict[str, Any]]:
        for name, values in lamp.state.items():
            yield {"name": name, **values}

    @lamp.do("set", flags="admin-perm")
    def set_(lamp: Family, request: Request) -> None:
        if request.get("level", 0) > 10:
            raise NetlinkError("ERANGE", "too bright", attr="level")
        if "colour" in request and "red" not in request["colour"]:
            raise NetlinkError("EINVAL", missing="colour.red")
        lamp.state[request["name"]].update(level=request["level"])
        lamp.notify("changed", {"name": request["name"], "level": request["level"]})

    lamp.event("changed")
    return lamp


class Client:
    """A client of a family, with extended acks."""

    def __init__(self, bench: Bench, family: Family) -> None:
        self.bench, self.family = bench, family
        self.current = bench.current
        self.sock = bench.sock(0)
        self.sock.setsockopt(bench.current, 270, NETLINK_EXT_ACK, b"\1\0\0\0")

    def ask(self, cmd: int, values: dict[Any, Any] | None = None, **options: Any) -> list[bytes]:
        attributes = options.pop("attributes", LAMP)
        data = encode(attributes, values or {})
        request = self.bench.request(self.family.genl.id, cmd, **options)
        request = (len(request) + len(data)).to_bytes(4, "little") + request[4:] + data
        return self.bench.ask(self.sock, request, self.current)

    def values(self, *args: Any, **options: Any) -> dict[str | int, Any]:
        (answer,) = self.ask(*args, **options)
        return decode(LAMP, answer[20:])


@pytest.fixture
def lamp(bench: Bench) -> Family:
    family = make_lamp()
    family.attach(bench.kernel)
    return family


@pytest.fixture
def client(bench: Bench, lamp: Family) -> Client:
    return Client(bench, lamp)


def extack(datagrams: list[bytes], about: int) -> tuple[int, dict[int, bytes]]:
    """The errno, and the TLVs behind the request of ``about`` bytes."""
    (datagram,) = datagrams
    errno = error_of(datagrams)
    unknown = AttributeSet("none")
    return errno, decode(unknown, datagram[20 + about + -about % 4 :])  # type: ignore[return-value]


def test_a_do_gives_values_by_name(client: Client) -> None:
    assert client.values(1, {"name": "desk"}) == {
        "name": "desk", "level": 3, "hours": 1 << 40, "colour": {"red": 255},
    }  # fmt: skip


def test_a_dump_yields_a_message_for_each(client: Client) -> None:
    (data, done) = client.ask(1, flags=NLM_F_DUMP)
    first = int.from_bytes(data[:4], "little")
    assert decode(LAMP, data[20:first])["name"] == "desk"
    assert data[first + 16 : first + 20] == b"\x01\x02\0\0"  # the command and the version
    assert done[4:6] == b"\3\0"


def test_an_error_names_its_attribute_and_says_why(client: Client) -> None:
    errno, said = extack(client.ask(1, {"name": "cellar"}), 32)
    assert errno == ENODEV
    assert said == {1: b"there is no such lamp\0", 2: b"\x14\0\0\0"}


def test_what_the_client_lacks_is_told(client: Client) -> None:
    errno, said = extack(client.ask(1), 20)
    assert (errno, said) == (EINVAL, {5: b"\1\0\0\0"})
    errno, said = extack(client.ask(2, {"colour": {"green": 1}}), 32)
    assert (errno, said) == (EINVAL, {5: b"\1\0\0\0", 6: b"\x14\0\0\0"})


def test_the_policy_is_that_of_the_declaration(client: Client) -> None:
    errno, said = extack(client.ask(1, {"level": 1}), 28)
    assert (errno, said[1]) == (EINVAL, b"Unknown attribute type\0")
    assert error_of(client.ask(2, {2: b"\1\0\0\0"})) == EINVAL
    assert error_of(client.ask(2, {"colour": {"red": b"\1\2"}})) == EINVAL


def test_a_notification_reaches_the_members_of_its_group(bench: Bench, client: Client) -> None:
    listener = bench.sock(0)
    listener.setsockopt(
        bench.current, 270, 1, client.family.genl.mcgrp_offset.to_bytes(4, "little")
    )
    assert client.family.listeners() == client.family.listeners("events") == 1
    client.ask(2, {"name": "desk", "level": 7})
    (told,) = bench.drain(listener)
    assert told[16:18] == b"\x03\x02"
    assert told[8:16] == bytes(8)  # no sequence number, from portid 0
    assert decode(LAMP, told[20:]) == {"name": "desk", "level": 7}
    assert client.family.state["desk"]["level"] == 7


def test_permissions_are_the_kernel_s(bench: Bench, lamp: Family) -> None:
    task = bench.machine.tasks.fork(cred=Cred.for_ids(bench.machine.init_user_ns, 1, 1))
    client = Client(bench, lamp)
    client.current = Current.of(task)
    client.sock = bench.sock(0, client.current)
    assert error_of(client.ask(2, {"name": "desk", "level": 1})) == EPERM
    assert len(client.ask(1, {"name": "desk"})) == 1


def test_a_slip_answers_eio_and_is_told_of(bench: Bench) -> None:
    slips: list[BaseException] = []
    family = Family("SLIPS", attributes=LAMP)

    @family.do("do")
    def do(_family: Family, request: Request) -> Any:
        if "level" in request:
            return {"levle": 1}
        if "hours" in request:
            return 5
        return request["nmae"]

    @family.dump("dump")
    def dump(_family: Family, _request: Request) -> Iterator[Any]:
        yield {"level": 1}
        raise KeyError("oops")

    family.attach(bench.kernel, failed=slips.append)
    client = Client(bench, family)
    errno, said = extack(client.ask(1), 20)
    assert errno == EIO
    assert said[1] == (
        b"an operation of SLIPS raised ValueError: there is no attribute of lamp 'nmae', did you "
        b"mean name?\0"
    )
    assert error_of(client.ask(1, {"level": 1})) == EIO
    assert error_of(client.ask(1, {"hours": 1})) == EIO
    *_, done = client.ask(2, flags=NLM_F_DUMP)
    assert (-EIO).to_bytes(4, "little", signed=True) in done
    assert [type(slip) for slip in slips] == [ValueError, ValueError, TypeError, KeyError]
    # The next one is answered as if nothing had been.
    assert error_of(client.ask(1)) == EIO


def test_without_anybody_to_tell_a_slip_is_raised(bench: Bench) -> None:
    family = Family("SLIPS", attributes=LAMP)

    @family.do("do")
    def do(_family: Family, _request: Request) -> None:
        raise KeyError("oops")

    family.attach(bench.kernel)
    with pytest.raises(KeyError, match="oops"):
        Client(bench, family).ask(1)


def test_before_and_after(bench: Bench) -> None:
    family, calls = Family("AROUND", attributes=LAMP), list[str]()

    @family.pre_doit
    def before(_family: Family, request: Request) -> None:
        calls.append("before")
        if request.get("level") == 0:
            raise NetlinkError(ENOTTY, "not today")

    @family.post_doit
    def after(_family: Family, request: Request) -> None:
        calls.append(f"after {request.op.name}")

    @family.do("do")
    def do(_family: Family, request: Request) -> bytes:
        calls.append("do")
        if request.get("level") == 1:
            raise NetlinkError(ERANGE)
        return b""

    family.attach(bench.kernel)
    client = Client(bench, family)
    assert len(client.ask(1)) == 1
    assert error_of(client.ask(1, {"level": 1})) == ERANGE
    assert calls == ["before", "do", "after do"] * 2
    errno, said = extack(client.ask(1, {"level": 0}), 28)
    assert (errno, said) == (ENOTTY, {1: b"not today\0"})
    assert calls[6:] == ["before"]


def test_several_answers_and_a_dump_that_fails_at_once(bench: Bench) -> None:
    family = Family("MANY", attributes=LAMP)

    @family.do("do")
    def do(_family: Family, _request: Request) -> list[dict[str, int]]:
        return [{"level": 1}, {"level": 2}]

    @family.dump("do")
    def dump(_family: Family, request: Request) -> list[dict[str, int]]:
        return [{"level": request["level"]}]

    @family.start("do")
    def start(_family: Family, request: Request) -> None:
        if "hours" in request:
            raise NetlinkError("EPERM", "no hours", attr="hours")

    family.attach(bench.kernel)
    client = Client(bench, family)
    assert [decode(LAMP, answer[20:]) for answer in client.ask(1)] == [{"level": 1}, {"level": 2}]
    assert extack(client.ask(1, flags=NLM_F_DUMP), 20) == (EINVAL, {5: b"\2\0\0\0"})
    errno, said = extack(client.ask(1, {"hours": 1}, flags=NLM_F_DUMP), 32)
    assert (errno, said) == (EPERM, {1: b"no hours\0", 2: b"\x14\0\0\0"})


def test_a_dump_s_error_travels_in_done(bench: Bench) -> None:
    family = Family("DUMPS", attributes=LAMP)

    @family.dump("get")
    def dump(_family: Family, _request: Request) -> Iterator[dict[str, int]]:
        yield {"level": 1}
        raise NetlinkError("ENODEV", "it went out")

    family.attach(bench.kernel)
    (data,) = Client(bench, family).ask(1, flags=NLM_F_DUMP)
    done = data[28:]
    assert done[4:8] == b"\3\0\2\2"
    assert done[16:] == (-ENODEV).to_bytes(4, "little", signed=True) + (b"\x10\0\1\0it went out\0")


def test_each_boot_begins_with_the_first_state(bench: Bench, lamp: Family) -> None:
    lamp.state["desk"]["level"] = 9
    other = make_bench()
    lamp.attach(other.kernel)
    assert lamp.state["desk"]["level"] == 3
    assert lamp.kernel is other.kernel


def test_a_header_of_its_own(bench: Bench) -> None:
    header = Struct("ovs_header", (Member("dp-ifindex", "s32"),))
    attributes = AttributeSet("dp", Attribute("name", "string"))
    op = Operation("get", attributes, do=Exchange(("name",), ("name",), 3, 3), fixed_header=header)
    event = Operation("new", attributes, event=Exchange(cmd=4), mcgrp="dp", fixed_header=header)
    family = Family.from_declaration(
        FamilyDeclaration("ovs", 2, (op, event), groups=(McastGroup("dp"),))
    )

    @family.do("get")
    def get(_family: Family, request: Request) -> dict[str, Any]:
        return {"dp-ifindex": request.header["dp-ifindex"] + 1, "name": request["name"]}

    family.attach(bench.kernel)
    client = Client(bench, family)
    assert error_of(client.ask(3)) == EINVAL  # no room for the header
    values = {"name": "br0"}
    data = (7).to_bytes(4, "little") + encode(attributes, values)
    request = bench.request(family.genl.id, 3)
    request = (len(request) + len(data)).to_bytes(4, "little") + request[4:] + data
    (answer,) = bench.ask(client.sock, request)
    assert answer[20:24] == (8).to_bytes(4, "little")
    assert decode(attributes, answer[24:]) == values
    listener = bench.sock(0)
    listener.setsockopt(bench.current, 270, 1, family.genl.mcgrp_offset.to_bytes(4, "little"))
    family.notify("new", values, header={"dp-ifindex": 5})
    (told,) = bench.drain(listener)
    assert told[20:24] == (5).to_bytes(4, "little")


def test_declared_operations_without_a_function(bench: Bench) -> None:
    op = Operation("get", LAMP, do=Exchange((), (), 1, 1), dump=Exchange((), (), 1, 1))
    family = Family.from_declaration(FamilyDeclaration("SPEC", operations=(op,)))
    family.attach(bench.kernel)
    client = Client(bench, family)
    errno, said = extack(client.ask(1), 20)
    assert (errno, said) == (EOPNOTSUPP, {1: b"nothing answers get of SPEC here\0"})
    assert error_of(client.ask(1, flags=NLM_F_DUMP)) == EOPNOTSUPP
    family.otherwise(do=lambda family, request: {"level": 1}, dump=lambda family, request: [])
    assert client.values(1) == {"level": 1}


def test_strictness_is_the_release_s() -> None:
    for profile, errno in ((Profile(), EINVAL), (Profile(strict_families=False), 0)):
        bench = make_bench(profile)
        family = Family("F", attributes=LAMP)
        family.do("do")(lambda family, request: None)
        family.do("lax", validate=["strict"])(lambda family, request: None)
        family.attach(bench.kernel)
        client = Client(bench, family)
        unknown = {99: b""}
        assert (client.ask(1, unknown) and error_of(client.ask(1, unknown))) == (errno or [])
        assert client.ask(2, unknown) == []


@pytest.mark.parametrize(
    ("declare", "complaint"),
    [
        (lambda f: f.do("get", cmd=300), "a command is a u8"),
        (lambda f: f.do("get", comand=3), "an operation has no 'comand'"),
        (lambda f: f.do("get", flags="root"), "flags are admin-perm and uns-admin-perm"),
        (lambda f: f.do("get", validate="never"), "'never' is not strict"),
        (lambda f: f.do("get", request=["nmae"]), "did you mean name"),
        (lambda f: f.do("there", cmd=2), "'there' of F is declared already"),
        (lambda f: f.do("get", cmd=1), "'get' and 'there' of F have one command, 1"),
    ],
    ids=range(7),
)
def test_wrong_declarations(declare: Callable[[Family], Any], complaint: str) -> None:
    family = Family("F", attributes=LAMP)
    family.do("there")(lambda family, request: None)
    with pytest.raises(ValueError, match=complaint):
        declare(family)(lambda family, request: None)


def test_wrong_notifications(lamp: Family) -> None:
    with pytest.raises(ValueError, match="there is no operation of LAMP 'chnaged'"):
        lamp.notify("chnaged", {})
    with pytest.raises(ValueError, match="'get' of LAMP is not an event"):
        lamp.notify("get", {})
    with pytest.raises(ValueError, match="LAMP has no group 'news'; it has events"):
        lamp.notify("changed", {}, group="news")
    with pytest.raises(ValueError, match="LAMP has no group 'news'; it has events"):
        lamp.listeners("news")
    with pytest.raises(ValueError, match="level: 'x' is no u8"):
        lamp.notify("changed", {"level": "x"})
    with pytest.raises(ValueError, match="LAMP has 'changed' already"):
        lamp.event("changed")
    with pytest.raises(ValueError, match="F has no multicast group for the event 'e'"):
        Family("F").event("e")
    with pytest.raises(LookupError, match="no kernel has LAMP yet"):
        make_lamp().notify("changed", {})
    with pytest.raises(LookupError, match="no kernel has F yet"):
        _ = Family("F").genl
    spec = Family.from_declaration(FamilyDeclaration("SPEC"))
    with pytest.raises(ValueError, match="there is no operation of SPEC 'get'"):
        spec.do("get")(lambda family, request: None)


@pytest.mark.parametrize(("arch", "pad"), [("x86_64", ""), ("riscv64", "04000100")])
def test_machines_that_align_numbers_have_pads_before_them(arch: str, pad: str) -> None:
    attributes = AttributeSet("m", Attribute("pad", "pad"), Attribute("hours", "u64", multi=True))
    op = Operation("get", attributes, do=Exchange((), (), 1, 1), dump=Exchange((), (), 1, 1))
    event = Operation("ntf", attributes, event=Exchange(cmd=2), mcgrp="m")
    bench = make_bench(profile_for("6.18", arch=arch))
    family = Family.from_declaration(
        FamilyDeclaration("m", 1, (op, event), groups=(McastGroup("m"),))
    )
    family.do("get")(lambda _family, _request: {"hours": [5, 6]})
    family.dump("get")(lambda _family, _request: [{"hours": [7]}, b"\1\2\3\4", {"hours": [8, 9]}])
    family.attach(bench.kernel)
    client = Client(bench, family)
    listener = bench.sock(0)
    listener.setsockopt(bench.current, 270, 1, family.genl.mcgrp_offset.to_bytes(4, "little"))
    family.notify("ntf", {"hours": [5, 6]})

    def number(value: int) -> str:
        return f"0c000200{value:02x}" + 7 * "00"

    # Behind 20 bytes of headers the first number is aligned, and the second is not.
    (done,) = client.ask(1, flags=NLM_F_REQUEST)
    assert done[20:].hex() == number(5) + pad + number(6)
    assert bench.drain(listener)[0][20:] == done[20:]
    dumped = client.ask(1, flags=NLM_F_DUMP)[0]
    assert dumped[20:32].hex() == number(7)
    assert dumped[32 + 20 : 32 + 24] == b"\1\2\3\4"
    assert dumped[56 + 20 :].hex().startswith(number(8) + pad + number(9))


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda f: f("x", groups="events"), "groups are a list of names, not 'events'"),
        (lambda f: f("x", attributes=[]), r"attributes are an AttributeSet, not \[\]"),
        (lambda f: f("x").do(print), r'do takes the name of an operation, @family.do\("get"\)'),
        (lambda f: f("x").dump(print), "dump takes the name of an operation"),
        (lambda f: f("x").start(print), "start takes the name of an operation"),
        (lambda f: f("x").do(""), "do takes the name of an operation"),
        (lambda _: AttributeSet(Attribute("a", "u8")), "an AttributeSet begins with its name"),  # type: ignore[arg-type]
        (lambda _: AttributeSet("a", "u8"), "a has attributes, and 'u8' is none"),  # type: ignore[arg-type]
    ],
)
def test_slips_that_would_declare_nothing(slip: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        slip(Family)
