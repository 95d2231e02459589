"""A family from a spec without any function: its objects, what is told of them, its files."""

from __future__ import annotations

import json
from errno import EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, ENOSPC, EOPNOTSUPP
from pathlib import Path
from typing import Any

import pytest
from helpers.kernel import Bench, error_of

from netlink_emu.documents import DocumentError
from netlink_emu.families.own import Family
from netlink_emu.protocol.family import talk
from netlink_emu.protocol.netlink import NLM_F_ACK, nlmsg_walk

SPECS = Path(__file__).parents[3] / "data" / "specs" / "7.3"
LAMPS = """\
name: lamps
attribute-sets:
  - name: lamp
    attributes:
      - {name: id, type: u32}
      - {name: level, type: u8}
      - {name: key, type: binary}
      - {name: colour, type: nest, nested-attributes: colour}
  - name: colour
    attributes:
      - {name: red, type: u8}
      - {name: green, type: u8}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level, key, colour]}}
      dump: {reply: {attributes: *all}}
    - name: lamp-new
      attribute-set: lamp
      do: {request: {attributes: [level, colour]}, reply: {attributes: [id]}}
    - name: lamp-set
      attribute-set: lamp
      do: {request: {attributes: [id, level, colour]}}
    - name: lamp-del
      attribute-set: lamp
      do: {request: {attributes: [id]}}
    - {name: lamp-flush, attribute-set: lamp, do: {}}
    - {name: lamp-add-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-del-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-change-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-blink, attribute-set: lamp, do: {request: {attributes: [id]}}}
mcast-groups: {list: [{name: events}]}
"""
Values = dict[Any, Any]


class Client:
    def __init__(self, bench: Bench, family: Family) -> None:
        self.bench, self.family = bench, family
        family.attach(bench.kernel)
        self.sock = bench.sock(0)

    def ask(self, name: str, values: Values | None = None, *, dump: bool = False) -> Any:
        """The values of the answers of a dump, the answer of a do; an errno of a failure."""
        declaration = self.family.declaration
        op = declaration.operation(name)
        message = talk.request(
            declaration, op, values or {}, family=self.family.genl.id, dump=dump, flags=NLM_F_ACK
        )
        datagrams = self.bench.ask(self.sock, message)
        answers = []
        for datagram in datagrams:
            for start, header in nlmsg_walk(datagram):
                if header.nlmsg_type == self.family.genl.id:
                    part = datagram[start : start + header.nlmsg_len]
                    answers.append(talk.answer(op, part))
                elif (number := int.from_bytes(datagram[start + 16 : start + 20], "little")) != 0:
                    return (1 << 32) - number
        return answers if dump else answers[0] if answers else None


@pytest.fixture
def lamps(bench: Bench) -> Client:
    family = Family.from_spec(LAMPS, state={"lamp": [{"id": 1, "level": 3, "key": "00ff"}]})
    return Client(bench, family)


def test_a_get_finds_an_object_by_its_key(lamps: Client) -> None:
    assert lamps.ask("lamp-get", {"id": 1}) == {"id": 1, "level": 3, "key": b"\x00\xff"}
    assert lamps.ask("lamp-get", {"id": 2}) == ENOENT
    assert lamps.ask("lamp-get") == EINVAL


def test_what_is_made_is_numbered_changed_and_removed(lamps: Client) -> None:
    assert lamps.ask("lamp-new", {"level": 7, "colour": {"red": 9}}) == {"id": 2}
    assert lamps.ask("lamp-set", {"id": 2, "colour": {"green": 1}}) is None
    whole = {"id": 2, "level": 7, "colour": {"red": 9, "green": 1}}
    assert lamps.ask("lamp-get", dump=True)[1] == whole
    assert lamps.ask("lamp-del", {"id": 1}) is None
    assert lamps.ask("lamp-get", dump=True) == [whole]
    assert lamps.ask("lamp-flush") is None
    assert lamps.ask("lamp-get", dump=True) == []
    assert lamps.ask("lamp-del", {"id": 1}) == ENOENT
    assert lamps.ask("lamp-set", {"id": 1, "level": 1}) == ENOENT


def test_who_listens_is_told_of_each_change(bench: Bench, lamps: Client) -> None:
    group = lamps.family.genl.mcgrp_offset
    listener = bench.sock(0)
    listener.setsockopt(bench.current, 270, 1, group.to_bytes(4, "little"))
    lamps.ask("lamp-new", {"level": 7})
    lamps.ask("lamp-set", {"id": 2, "level": 8})
    lamps.family.store.change("lamp", {"id": 1, "level": 0})
    lamps.ask("lamp-del", {"id": 2})
    lamps.family.store.add("lamp", {"id": 9})
    lamps.family.store.remove("lamp", {"id": 9})
    declaration = lamps.family.declaration
    names = {op.event.reply_cmd: op for op in declaration.operations if op.event is not None}
    told = []
    for datagram in bench.drain(listener):
        op = names[datagram[16]]
        told.append((op.name, talk.answer(op, datagram)))
    assert told == [
        ("lamp-add-ntf", {"id": 2, "level": 7}),
        ("lamp-change-ntf", {"id": 2, "level": 8}),
        ("lamp-change-ntf", {"id": 1, "level": 0, "key": b"\x00\xff"}),
        ("lamp-del-ntf", {"id": 2, "level": 8}),
        ("lamp-add-ntf", {"id": 9}),
        ("lamp-del-ntf", {"id": 9}),
    ]


def test_what_no_name_explains_is_nobodys(lamps: Client) -> None:
    assert lamps.ask("lamp-blink", {"id": 1}) == EOPNOTSUPP

    @lamps.family.do("lamp-blink")
    def blink(family: Family, request: Any) -> None:
        assert family.store.objects("lamp")[0]["id"] == request["id"]

    assert lamps.ask("lamp-blink", {"id": 1}) is None


def test_a_boot_begins_with_what_was_given(bench: Bench, lamps: Client) -> None:
    lamps.ask("lamp-flush")
    bench.kernel.genl.unregister_family(lamps.family.genl)
    again = Client(bench, lamps.family)
    assert [each["id"] for each in again.ask("lamp-get", dump=True)] == [1]


def test_answers_in_cans(lamps: Client) -> None:
    lamps.family.fail("lamp-get", "EBUSY", "not now", attr="id", times=1)
    assert lamps.ask("lamp-get", {"id": 1}) == EBUSY
    assert lamps.ask("lamp-get", {"id": 1})["level"] == 3
    lamps.family.reply("lamp-get", {"id": 77})
    assert lamps.ask("lamp-get", {"id": 1}) == {"id": 77}
    assert lamps.ask("lamp-get", dump=True) == [{"id": 77}]
    lamps.family.reply("lamp-get", [{"id": 1}, {"id": 2}], times=2)
    assert lamps.ask("lamp-get", dump=True) == [{"id": 1}, {"id": 2}]
    lamps.family.forget("lamp-get")
    assert lamps.ask("lamp-get", {"id": 1})["level"] == 3
    lamps.family.reply("lamp-set", None)
    assert lamps.ask("lamp-set", {"id": 55, "level": 1}) is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda family: family.fail("lamp-gte", "EBUSY"), "did you mean lamp-get"),
        (lambda family: family.fail("lamp-get", "EBUSIE"), "EBUSIE"),
        (lambda family: family.reply("lamp-get", {"ids": 1}), "'ids'"),
        (lambda family: family.reply("lamp-get", {"id": 1}, times=0), "not 0 times"),
        (lambda family: family.store.seed({"lmap": []}), "no objects 'lmap'; it has: lamp"),
        (lambda family: family.store.seed({"lamp": [{"level": 300}]}), "300 does not fit"),
        (lambda family: family.store.seed({"lamp": [{"key": "xy"}]}), "'xy' is not hex"),
        (lambda family: family.store.seed({"lamp": 3}), "by name, not as 3"),
        (lambda family: family.store.change("lamp", {"id": 8}), "no such lamp"),
        (lambda family: Family("x").store, "Family.from_spec makes one"),
        (lambda family: family.reply("lamp-get", 5), "values by name, or a list of them, not 5"),
        (lambda family: family.reply("lamp-get", "x"), "by name, or a list of them, not 'x'"),
        (lambda family: family.reply("lamp-get", [5]), "by name, or a list of them, not 5"),
    ],
)
def test_slips_are_told(call: Any, said: str) -> None:
    with pytest.raises((ValueError, LookupError), match=said):
        call(Family.from_spec(LAMPS))


# --- state files

STATE: Values = {
    "lamp": [{"id": 4, "level": 2, "key": "0102"}],
    "replies": {"lamp-blink": None},
    "failures": {"lamp-del": {"errno": "EBUSY", "message": "hot"}, "lamp-set": "EEXIST"},
}
TOML = """\
replies.lamp-blink = []
failures = {lamp-del = {errno = "EBUSY", message = "hot"}, lamp-set = "EEXIST"}
[[lamp]]
id = 4
level = 2
key = "0102"
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("state.json", json.dumps(STATE)), ("state.yaml", json.dumps(STATE)), ("state.toml", TOML)],
)
def test_a_file_says_what_there_is(bench: Bench, tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    client = Client(bench, Family.from_spec(LAMPS, state=file))
    assert client.ask("lamp-get", {"id": 4}) == {"id": 4, "level": 2, "key": b"\1\2"}
    assert client.ask("lamp-blink", {"id": 4}) is None
    assert client.ask("lamp-del", {"id": 4}) == EBUSY
    assert client.ask("lamp-set", {"id": 4}) == EEXIST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lamp:\n  - {id: 1}\n  - {idd: 2}\n", ":3:5: lamp: there is no attribute of lamp 'idd'"),
        ("lmap: []\n", ":1:7: lamps has no objects 'lmap'"),
        ("failures:\n  lamp-get: {errno: EWHAT}\n", ":2:13: "),
        ("failures:\n  lamp-get: {}\n", ":2:13: lamp-get: a failure has an errno"),
        ("failures:\n  lamp-get: {errno: EBUSY, text: x}\n", "a failure has no 'text'"),
        ("replies:\n  lamp-gte: {}\n", ":2:13: there is no operation of lamps 'lamp-gte'"),
        ("replies: 3\n", ":1:10: replies are given by operation"),
        ("[", "not YAML"),
    ],
)
def test_mistakes_in_a_file_have_their_places(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "state.yaml"
    file.write_text(text)
    with pytest.raises(DocumentError) as raised:
        Family.from_spec(LAMPS, state=file)
    assert said in str(raised.value)
    assert str(raised.value).startswith(str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# one\n[[lamp]]\nid = 1\n\n[[lamp]]\nidd = 2\n", ":5:1: lamp: there is no attribute"),
        ("lamp = [\n  {id = 1},\n  {idd = 2},\n]\n", ":3:3: lamp: there is no attribute"),
        ("[lamp]\nid = 'x'\n", ":1:1: lamp: id: 'x' is no u32"),
        ("[[lamp]]\nid = 1\n[[lmap]]\n", ":3:1: lamps has no objects 'lmap'"),
        ("\n[failures]\nlamp-get = {errno = 'EWHAT'}\n", ":3:1: there is no errno 'EWHAT'"),
        ("[failures]\n  lamp-get.errno = 3\nlamp-gte = 'EIO'\n", ":3:1: there is no operation"),
        ("[replies.lamp-gte]\nid = 1\n", ":1:1: there is no operation of lamps 'lamp-gte'"),
        ("replies = 3\n", ":1:1: replies are given by operation"),
        ("x = 1\nrecording = 3\n", ":2:1: recording is the name of a file, not 3"),
        ("[[lamp]]\nid = ?\n", ":2:6: not TOML: Invalid value"),
        ("[", ":1:1: not TOML: "),
        ("x = " + "[" * 5000, ":1:1: nested too deep"),
    ],
)
def test_mistakes_in_a_toml_file_have_their_places(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "state.toml"
    file.write_text(text)
    with pytest.raises(DocumentError) as raised:
        Family.from_spec(LAMPS, state=file)
    assert str(raised.value).startswith(f"{file}{said}")


def test_a_toml_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "state.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(DocumentError, match=":1:1: not UTF-8"):
        Family.from_spec(LAMPS, state=file)


# --- the kernel's own specs


def family_of(name: str, state: Values | None = None) -> Family:
    return Family.from_spec(SPECS / f"{name}.yaml", state=state)


def test_a_raw_protocol_is_no_family() -> None:
    with pytest.raises(ValueError, match="is a raw protocol"):
        family_of("rt-link")


def test_a_nest_can_be_the_key(bench: Bench) -> None:
    rings = {"header": {"dev-name": "eth7", "dev-index": 7}, "rx": 512, "rx-max": 4096}
    client = Client(bench, family_of("ethtool", {"rings": [rings]}))
    assert client.ask("rings-get", {"header": {"dev-name": "eth7"}}) == rings
    assert client.ask("rings-get", {"header": {"dev-name": "eth8"}}) == ENODEV
    assert client.ask("rings-get", {"header": {}}) == EINVAL
    assert client.ask("rings-get", dump=True) == [rings]
    assert client.ask("pause-get", {"header": {"dev-name": "eth7"}}) == EOPNOTSUPP
    change = {"header": {"dev-index": 7, "flags": ["compact-bitsets"]}, "rx": 1024}
    assert client.ask("rings-set", change) is None
    assert client.ask("rings-get", {"header": {"dev-index": 7}}) == rings | {"rx": 1024}


def test_set_makes_what_nothing_else_does(bench: Bench) -> None:
    client = Client(bench, family_of("wireguard"))
    assert client.ask("get-device", {"ifname": "wg0"}, dump=True) == ENODEV
    assert client.ask("set-device", {"ifname": "wg0", "listen-port": 9}) is None
    assert client.ask("get-device", {"ifname": "wg0"}, dump=True)[0]["listen-port"] == 9


def test_lists_are_added_to_where_bits_say_when_to_replace(bench: Bench) -> None:
    client = Client(bench, family_of("wireguard", {"device": {"ifname": "wg0", "ifindex": 5}}))

    def peers(**values: Any) -> list[Values]:
        if values:
            assert client.ask("set-device", {"ifname": "wg0", **values}) is None
        (device,) = client.ask("get-device", {"ifindex": 5}, dump=True)
        assert "flags" not in device
        found: list[Values] = device.get("peers", [])
        return found

    first, second = "11" * 32, "22" * 32
    net = {"family": 2, "ipaddr": "10.0.0.0", "cidr-mask": 8}
    other = net | {"cidr-mask": 9}
    assert peers(peers=[{"public-key": first, "allowedips": [net]}])[0]["allowedips"] == [net]
    assert [each["public-key"] for each in peers(peers=[{"public-key": second}])] == [
        first,
        second,
    ]
    more = {"public-key": first, "allowedips": [other]}
    assert peers(peers=[more])[0]["allowedips"] == [net, other]
    only = more | {"flags": ["replace-allowedips"]}
    assert peers(peers=[only])[0] == {"public-key": first, "allowedips": [other]}
    assert len(peers(peers=[{"public-key": "33" * 32, "flags": ["update-only"]}])) == 2
    gone = {"public-key": first, "flags": ["remove-me"]}
    assert [each["public-key"] for each in peers(peers=[gone])] == [second]
    assert peers(flags=["replace-peers"], peers=[{"public-key": first}]) == [{"public-key": first}]


def test_a_header_of_the_familys_own_is_part_of_the_key(bench: Bench) -> None:
    vports = [
        {"dp-ifindex": 3, "port-no": 1, "name": "a"},
        {"dp-ifindex": 4, "port-no": 1, "name": "b"},
    ]
    client = Client(bench, family_of("ovs_vport", {"ovs_vport": vports}))
    assert client.ask("get", {"dp-ifindex": 4, "name": "b"})["name"] == "b"
    assert client.ask("get", {"dp-ifindex": 4}, dump=True)[0]["name"] == "b"
    assert client.ask("get", {"dp-ifindex": 5, "name": "b"}) in (ENODEV, ENOENT)


def test_queues_are_told_apart_by_three_attributes(bench: Bench) -> None:
    queues = [
        {"ifindex": number, "type": kind, "id": 0, "napi-id": 100 * number}
        for number in (1, 2) for kind in ("rx", "tx")
    ]  # fmt: skip
    client = Client(bench, family_of("netdev", {"queue": queues}))
    assert client.ask("queue-get", {"ifindex": 2, "type": "tx", "id": 0}) == queues[3]
    assert client.ask("queue-get", {"ifindex": 2}, dump=True) == queues[2:]


def test_mptcp_endpoints(bench: Bench) -> None:
    client = Client(bench, family_of("mptcp_pm"))
    addr = {"family": 2, "addr4": 0x0A000001, "flags": 2}
    assert client.ask("get-limits") == {"rcv-add-addrs": 0, "subflows": 2}
    assert client.ask("set-limits", {"subflows": 9}) == EINVAL
    assert client.ask("add-addr", {"addr": addr}) is None
    assert client.ask("add-addr", {"addr": addr}) == EEXIST
    assert client.ask("add-addr", {"addr": addr | {"addr4": 0x0A000002, "id": 1}}) == EBUSY
    assert client.ask("get-addr", {"addr": {"id": 1}}) == {"addr": addr | {"id": 1}}
    assert client.ask("set-flags", {"addr": {"id": 1, "flags": 5, "family": 2}}) is None
    assert client.ask("get-addr", {"addr": {"id": 1}})["addr"]["flags"] == 6
    assert client.ask("del-addr", {"addr": {"id": 2}}) == EINVAL
    assert client.ask("flush-addrs") is None
    assert client.ask("get-addr", dump=True) == []


def test_error_of_is_what_the_client_here_gives(bench: Bench, lamps: Client) -> None:
    op = lamps.family.declaration.operation("lamp-get")
    message = talk.request(
        lamps.family.declaration, op, {"id": 3}, family=lamps.family.genl.id, seq=9
    )
    assert error_of(bench.ask(lamps.sock, message)) == lamps.ask("lamp-get", {"id": 3})


BITS = """
name: bits
attribute-sets:
  - {name: bit, attributes: [{name: id, type: u8}, {name: level, type: u32}]}
operations:
  list:
    - name: bit-get
      attribute-set: bit
      do: {request: {attributes: [id]}, reply: {attributes: [id, level]}}
    - name: bit-new
      attribute-set: bit
      do: {request: {attributes: [level]}, reply: {attributes: [id]}}
"""


def test_no_id_is_given_that_its_attribute_has_no_room_for(bench: Bench) -> None:
    state = {"bit": [{"id": number} for number in range(1, 255)]}
    client = Client(bench, Family.from_spec(BITS, state=state))
    assert client.ask("bit-new", {"level": 1}) == {"id": 255}
    assert client.ask("bit-new", {"level": 2}) == ENOSPC


def test_a_tunnel_of_fou_is_named_by_its_port(bench: Bench) -> None:
    """A request has more than an answer there, "af": the key is what both have."""
    client = Client(bench, family_of("fou"))
    assert client.ask("add", {"port": 5555, "ipproto": 4}) is None
    assert client.ask("add", {"port": 5556, "type": 2}) is None
    assert client.ask("add", {"port": 5555, "ipproto": 4}) == EEXIST
    assert client.ask("del", {"af": 2, "port": 5559}) == ENODEV
    assert client.ask("del", {"af": 2, "port": 5555}) is None
    assert [each["port"] for each in client.ask("get", dump=True)] == [5556]


def test_an_id_is_looked_for_by_whatever_else_there_is(bench: Bench) -> None:
    devices = [
        {"id": 4, "module-name": "ice", "clock-id": 7, "type": "eec"},
        {"id": 5, "module-name": "ice", "clock-id": 7, "type": "pps"},
    ]
    client = Client(bench, family_of("dpll", {"device": devices}))
    ice = {"module-name": "ice", "clock-id": 7}
    assert client.ask("device-id-get", ice | {"type": "pps"}) == {"id": 5}
    assert client.ask("device-id-get", ice) == EINVAL  # multiple matches
    assert client.ask("device-id-get", ice | {"clock-id": 8}) == ENOENT
    assert [*client.family.store.kinds] == ["device", "pin"]


def test_string_sets_of_no_device_in_particular(bench: Bench) -> None:
    """ethtool --monitor asks for all of them."""
    client = Client(bench, family_of("ethtool"))
    assert client.ask("strset-get") == {}
    assert client.ask("strset-get", {"header": {"dev-name": "eth7"}}) == ENODEV
    assert client.ask("rings-get") == EINVAL
    sets = {"stringset": [{"id": 15, "count": 1}]}
    client.family.store.add("strset", {"stringsets": sets})
    assert client.ask("strset-get") == {"stringsets": sets}
