"""Families of a running kernel, by the handle and over NETLINK_EMU: the same methods."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EEXIST, EINVAL, ENOENT, EOPNOTSUPP, ERANGE
from pathlib import Path
from typing import Any

import pytest
from helpers.messages import decode
from helpers.nets import SECONDS

from netlink_emu.families.own.registered import UnknownFamily
from netlink_emu.protocol.family import encode, talk
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.ours.hello import Hello, decode_hello, encode_hello
from netlink_emu.testing import EmulatedKernel, Family, Request
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.families import RemoteFamily, named
from netlink_emu.testing.remote.kernel import Remote

LAMPS = """\
name: lamps
attribute-sets:
  - name: lamp
    attributes:
      - {name: id, type: u32}
      - {name: level, type: u8, checks: {max: 11}}
      - {name: key, type: binary}
      - {name: colour, type: nest, nested-attributes: colour}
  - {name: colour, attributes: [{name: red, type: u8}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level, key, colour]}}
      dump: {reply: {attributes: *all}}
    - name: lamp-set
      attribute-set: lamp
      do: {request: {attributes: *all}}
    - {name: lamp-ntf, notify: lamp-get, mcgrp: events}
mcast-groups: {list: [{name: events}, {name: others}]}
"""


@pytest.fixture
def lamps() -> Family:
    return Family.from_spec(LAMPS, state={"lamp": [{"id": 1, "level": 3}]})


@pytest.fixture
def kernel(lamps: Family) -> Iterator[EmulatedKernel]:
    bell = Family("bell")

    @bell.do("ring")
    def ring(_bell: Family, _request: Request) -> None:
        return None

    with EmulatedKernel(
        "6.18", arch="x86_64", control=True, families=[lamps, bell], allow_unused=True
    ) as kernel:
        yield kernel


@pytest.fixture(params=["handle", "remote"])
def family(
    request: pytest.FixtureRequest, kernel: EmulatedKernel, remote: Remote
) -> Family | RemoteFamily:
    return kernel.families["lamps"] if request.param == "handle" else remote.family("lamps")


def ask(kernel: EmulatedKernel, lamps: Family, name: str, values: dict[Any, Any]) -> Any:
    """The values of an operation's answer, or the errno and the text of its refusal."""
    op = lamps.declaration.operation(name)
    message = talk.request(
        lamps.declaration, op, values, family=lamps.genl.id, dump=False, flags=4, seq=1,
        order=LITTLE,
    )  # fmt: skip
    with kernel.connect() as sock:
        sock.settimeout(SECONDS)
        sock.send(message)
        answer = decode(sock.recv(4096))
    if answer.error is not None:
        return -answer.error
    return talk.answer(op, answer.data, LITTLE)


def test_objects(kernel: EmulatedKernel, lamps: Family, family: Family | RemoteFamily) -> None:
    store = family.store
    store.add("lamp", {"id": 2, "colour": {"red": 9}})
    store.change("lamp", {"id": 1, "level": 7})
    assert store.objects("lamp") == [{"id": 1, "level": 7}, {"id": 2, "colour": {"red": 9}}]
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == {"id": 1, "level": 7}
    store.remove("lamp", {"id": 1})
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == ENOENT
    assert store.objects("lamp") == [{"id": 2, "colour": {"red": 9}}]


def test_answers(kernel: EmulatedKernel, lamps: Family, family: Family | RemoteFamily) -> None:
    family.reply("lamp-get", {"id": 77}, times=1)
    family.fail("lamp-set", "EBUSY", "it is hot", attr="colour.red", times=1)
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == {"id": 77}
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == {"id": 1, "level": 3}
    assert ask(kernel, lamps, "lamp-set", {"id": 1}) == 16
    assert ask(kernel, lamps, "lamp-set", {"id": 1}) == 0
    family.fail("lamp-set", 16)
    family.reply("lamp-get", None)
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == 0
    family.forget("lamp-set")
    assert ask(kernel, lamps, "lamp-set", {"id": 1}) == 0


def test_what_is_told_to_groups(
    kernel: EmulatedKernel, lamps: Family, family: Family | RemoteFamily
) -> None:
    with kernel.connect(portid=77) as sock:
        sock.settimeout(SECONDS)
        # Bound anew, now with the group.
        sock.send(encode_hello(Hello(portid=77, groups=1 << (lamps.genl.mcgrp_offset - 1))))
        assert decode_hello(sock.recv(4096)) is not None
        family.store.change("lamp", {"id": 1, "level": 7})
        family.notify("lamp-ntf", {"id": 5})
        family.notify("lamp-ntf", {"id": 6}, group="others")
        family.store.remove("lamp", {"id": 1})
        op = lamps.declaration.operation("lamp-ntf")
        heard = [talk.answer(op, decode(sock.recv(4096)).data, LITTLE) for _ in range(3)]
    assert heard == [{"id": 1, "level": 7}, {"id": 5}, {"id": 1, "level": 7}]


@pytest.mark.parametrize(
    ("values", "errno", "said"),
    [
        ({"name": "lamp"}, ENOENT, "no family 'lamp' was added .*, did you mean lamps"),
        ({"name": "nlctrl"}, ENOENT, "no family 'nlctrl' was added .*; it has lamps, bell"),
        ({"name": "bell"}, EOPNOTSUPP, "bell has no store: its operations are functions"),
        ({"kind": "lmp"}, EINVAL, "lamps has no objects 'lmp'; it has: lamp"),
        ({"kind": None}, EINVAL, "NLEMU_A_FAMILY_KIND is missing"),
        ({"json": None}, EINVAL, "NLEMU_A_FAMILY_JSON is missing"),
        ({"json": "{"}, EINVAL, "_JSON is no JSON: Expecting property name"),
        ({"json": "[" * 20000 + "]" * 20000}, EINVAL, "_JSON is too deep JSON"),
        ({"json": f'{{"id": 2, "key": {"[" * 500}{"]" * 500}}}'}, EINVAL, "too deep"),
        ({"json": "7"}, EINVAL, "lamp: attributes are given by name, not as 7"),
        ({"json": '{"levl": 1}'}, EINVAL, "no attribute of lamp 'levl', did you mean level"),
        ({"json": '{"id": 2, "level": 256}'}, EINVAL, "lamp: level: 256 does not fit in u8"),
        ({"json": '{"id": 2, "key": "xy"}'}, EINVAL, "lamp: key: 'xy' is not hex"),
        ({"json": '{"id": 1}'}, EEXIST, "lamps has a lamp with this id already"),
        ({"json": '{"id": "%s"}' % ("x" * 9000)}, EINVAL, r"lamp: id: 'x{380,399}\.\.\.$"),
    ],
)  # fmt: skip
def test_what_is_refused(remote: Remote, values: dict[str, Any], errno: int, said: str) -> None:
    with pytest.raises(ControlError, match=said) as raised:
        remote.do("object-new", {"name": "lamps", "kind": "lamp", "json": "{}", **values})
    assert raised.value.errno == errno
    assert remote.family("lamps").store.objects("lamp") == [{"id": 1, "level": 3}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"id": 9}, "lamps has no such lamp: id 9"),
        ({"level": 9}, "say which lamp of lamps: by its id"),
    ],
)
def test_what_is_not_there(
    family: Family | RemoteFamily, values: dict[str, Any], said: str
) -> None:
    for change in (family.store.change, family.store.remove):
        with pytest.raises((LookupError, ControlError), match=said):
            change("lamp", values)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("family-notify", {"operation": "lamp-get"}, "'lamp-get' of lamps is not an event"),
        ("family-notify", {"operation": "lamp-nft"}, "'lamp-nft', did you mean lamp-ntf"),
        ("family-notify", {"operation": "lamp-ntf", "group": "x"}, "no group 'x'; it has events"),
        ("family-reply", {"operation": "lamp-get", "json": '{"x": 1}'}, "attribute of lamp 'x'"),
        ("family-reply", {"operation": "lamp-get", "json": "{}", "times": 0}, "not 0 times"),
        ("family-fail", {"operation": "lamp-get"}, "NLEMU_A_FAMILY_ERRNO is missing"),
        ("family-fail", {"operation": "lamp-get", "errno": 0}, "from 1 to 4095, not 0"),
        ("family-fail", {"operation": "lamp-get", "errno": 4096}, "from 1 to 4095"),
        ("family-fail", {"operation": "lamp-get", "errno": 1, "attribute": "lev"}, "mean level"),
        ("family-fail", {"operation": "lamp-get", "errno": 1, "missing": "id.x"}, "no nest"),
        ("family-forget", {"operation": "x"}, "there is no operation of lamps 'x'"),
        ("family-forget", {}, "NLEMU_A_FAMILY_OPERATION is missing"),
    ],
)  # fmt: skip
def test_answers_that_are_refused(
    remote: Remote, name: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ControlError, match=said) as raised:
        remote.do(name, {"name": "lamps", **values})
    assert raised.value.errno == EINVAL


def test_the_families_that_there_are(
    kernel: EmulatedKernel, remote: Remote, lamps: Family
) -> None:
    assert [*kernel.families] == ["lamps", "bell"]
    assert len(kernel.families) == 2
    assert kernel.families["lamps"] is lamps
    assert repr(kernel.families) == "<families lamps, bell>"
    with pytest.raises(UnknownFamily, match=r"^no family 'bel' .* did you mean bell"):
        kernel.families["bel"]
    assert [named(row) for row in remote.dump("family-get")] == [
        {"name": "lamps", "id": lamps.genl.id, "kind": "lamp", "key": "id"},
        {"name": "bell", "id": kernel.families["bell"].genl.id},
    ]
    kernel.unregister_family(lamps)
    assert [*kernel.families] == ["bell"]


def test_a_kernel_without_families() -> None:
    with EmulatedKernel(allow_unused=True) as kernel:
        assert not kernel.families
        with pytest.raises(UnknownFamily, match="--family and families add some"):
            kernel.families["lamps"]


def test_an_object_longer_than_a_page(remote: Remote) -> None:
    store = remote.family("lamps").store
    for number in range(2, 40):
        store.add("lamp", {"id": number, "key": "ab" * (number % 9)})
    store.add("lamp", {"id": 40, "key": "cd" * 30_000})
    found = store.objects("lamp")
    assert [each["id"] for each in found] == [*range(1, 41)]
    assert found[-1] == {"id": 40, "key": "cd" * 30_000}
    with pytest.raises(ControlError, match="too many for an attribute") as raised:
        store.add("lamp", {"id": 41, "key": "cd" * 40_000})
    assert raised.value.errno == ERANGE


def test_a_reset_returns_to_the_first_objects_and_answers(
    kernel: EmulatedKernel, remote: Remote
) -> None:
    lamps = Family.from_spec(LAMPS.replace("name: lamps", "name: more"))
    lamps.store.seed({"lamp": [{"id": 1}]})
    lamps.fail("lamp-get", "EBUSY", times=1)
    kernel.register_family(lamps)
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == 16
    family = remote.family("more")
    family.store.add("lamp", {"id": 2})
    family.reply("lamp-get", {"id": 9})
    remote.do("reset")
    assert family.store.objects("lamp") == [{"id": 1}]
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == 16
    assert ask(kernel, lamps, "lamp-get", {"id": 1}) == {"id": 1}


def test_a_header_of_the_familys_own(kernel: EmulatedKernel, remote: Remote) -> None:
    spec = Path(__file__).parents[1] / "data/specs/7.3/ovs_vport.yaml"
    kernel.register_family(Family.from_spec(spec))
    store = remote.family("ovs_vport").store
    port = {"dp-ifindex": 3, "name": "p1", "port-no": 1}
    store.add("ovs_vport", port)
    assert store.objects("ovs_vport") == [port]


def test_a_release_without_extended_acks_tells_the_errno_alone(lamps: Family) -> None:
    with (
        EmulatedKernel("4.9", control=True, families=[lamps], allow_unused=True) as kernel,
        Remote(kernel.path) as remote,
    ):
        family = remote.family("lamps")
        family.store.add("lamp", {"id": 2})
        assert family.store.objects("lamp") == [{"id": 1, "level": 3}, {"id": 2}]
        with pytest.raises(ControlError, match=r"^ENOENT$"):
            family.store.remove("lamp", {"id": 9})


def test_json_is_never_cut() -> None:
    from netlink_emu.protocol.ours.control import FAMILY
    from netlink_emu.protocol.ours.control_values import write

    long = "x" * 3000
    assert write(FAMILY, {"json": long}, LITTLE) == encode(FAMILY, {"json": long}, LITTLE)
    assert len(write(FAMILY, {"text": long}, LITTLE)) < 2100
