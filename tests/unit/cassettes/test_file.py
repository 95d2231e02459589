"""A cassette's file: what is written is read back, and mistakes are named with their place."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Connected,
    Failed,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
    read_cassette,
    write_cassette,
)
from netlink_emu.cassettes.check import check
from netlink_emu.cassettes.model import PROTOCOLS
from netlink_emu.cassettes.read import _EVENTS, _HEAD_KEYS
from netlink_emu.documents import DocumentError

u32 = st.integers(0, (1 << 32) - 1)
group = st.integers(0, 32)
# What a renderer gives: printable lines.
words = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=30)
lines = st.lists(
    words.filter(lambda text: text.strip(" ") == text and text.isprintable()), max_size=3
).map(lambda found: "".join(f"{line}\n" for line in found if line))
datagrams = st.binary(max_size=100)
events = st.one_of(
    st.builds(Bound, u32, st.lists(st.integers(1, 32), max_size=3).map(tuple)),
    st.builds(Connected, u32, group),
    st.builds(Option, u32, u32, st.binary(max_size=8)),
    st.builds(Request, datagrams, u32, group, lines),
    st.builds(Answer, datagrams, u32, u32, u32, lines),
    st.builds(
        Failed, st.sampled_from(["recvmsg", "bind"]), st.sampled_from([1, 105, errno.EAGAIN])
    ),
)
families = st.dictionaries(
    words, st.builds(RecordedFamily, st.integers(0, 65535), st.dictionaries(words, u32))
)
names = st.text(max_size=12)
heads = st.builds(
    Head, names, names, names, st.lists(names, max_size=3).map(tuple), families,
    st.lists(names, max_size=2).map(tuple), st.none() | st.integers(0, 255),
)  # fmt: skip
streams = st.builds(
    Stream, st.integers(0, 31), st.sampled_from([2, 3, 7]), names,
    st.lists(events, max_size=6).map(tuple),
)  # fmt: skip
cassettes = st.builds(Cassette, heads, st.lists(streams, max_size=3).map(tuple))


@given(cassettes)
def test_it_is_read_back(cassette: Cassette) -> None:
    assert read_cassette(write_cassette(cassette), "x") == cassette


def test_the_form() -> None:
    """What docs/reference-cassette.md shows."""
    cassette = Cassette(
        Head("6.18.44", "x86_64", "0.1.0", ("ip", "-json", "addr"), redacted=("A.B",)),
        (
            Stream(
                0, 3, "ip",
                (
                    Bound(4242, (1,)),
                    Request(bytes(range(40)), text="RTM_GETLINK\n  ifname \"lo\"\n"),
                    Answer(b"\1\2\3\4\5", group=1, after=12),
                    Failed("recvmsg", errno.ENOBUFS),
                ),
            ),
        ),
    )  # fmt: skip
    assert (
        write_cassette(cassette)
        == """\
netlink-emu-cassette: 1
kernel: "6.18.44"
arch: x86_64
recorded-by: "netlink-emu 0.1.0"
command: [ip, "-json", addr]
redacted: ["A.B"]
sockets:

- protocol: route
  type: raw
  comm: ip
  events:
  - bind: {portid: 4242, groups: [1]}
  - request: |2
      RTM_GETLINK
        ifname "lo"
    bytes: >-
      00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f
      20212223 24252627
  - answer: ""
    bytes: >-
      01020304 05
    from: {portid: 0, group: 1}
    after: 12
  - failed: {call: recvmsg, errno: ENOBUFS}
"""
    )


V = "netlink-emu-cassette: 1\n"
ONE = V + "sockets:\n- {protocol: route, type: raw, events: [%s]}"
WRONG = [
    ("", "not a mapping", "x:1:1"),
    ("kernel: '6.1'", "not a cassette", "x:1:1"),
    ("netlink-emu-cassette: 2", "version 2 of the format is not known, 1 is", "x:1:23"),
    (V + "kernle: '6.1'", "did you mean kernel?", "x:2:9"),
    (V + "kernel: 6.1", "kernel is a string, not 6.1", "x:2:9"),
    (V + "sockets: [{protocol: rout, type: raw}]", "no netlink protocol 'rout'", "x:2:22"),
    (V + "sockets: [{protocol: 32, type: raw}]", "no netlink protocol 32", "x:2:22"),
    (V + "sockets: [{protocol: 0, type: stream}]", "dgram or raw, not 'stream'", "x:2:31"),
    (V + "families: {a: {id: 70000}}", "id is 0 to 65535, not 70000", "x:2:20"),
    (ONE % "{}", "an event is one of request, answer", "x:3:41"),
    (ONE % "{request: '', bytes: 'abc'}", "pairs of hexadecimal digits", "x:3:62"),
    (ONE % "{request: ''}", "bytes is missing", "x:3:41"),
    (ONE % "{request: '', bytes: '', too: 1}", "did you mean to?", "x:3:71"),
    (ONE % "{bind: {portid: -1}}", "portid is 0 to 4294967295", "x:3:57"),
    (ONE % "{bind: {portid: 1, groups: [33]}}", "a group is 1 to 32, not 33", "x:3:69"),
    (ONE % "{failed: {call: recv, errno: EWHAT}}", "there is no errno 'EWHAT'", "x:3:70"),
    (ONE % "{option: 3}", "option is a mapping, not 3", "x:3:50"),
    (ONE % "{answer: '', bytes: '', after: -1}", "after is 0 to", "x:3:72"),
]


@pytest.mark.parametrize(
    ("text", "reason", "place"), WRONG, ids=[reason for _, reason, _ in WRONG]
)
def test_mistakes(text: str, reason: str, place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_cassette(text, "x")
    assert reason in caught.value.reason
    assert str(caught.value.place) == place


def test_a_file_that_was_cut() -> None:
    """Wherever it ends, it is a shorter cassette or a mistake in one sentence."""
    cassette = Cassette(streams=(Stream(0, 3, "ip", (Request(b"12345678", text="a\n"),) * 3),))
    text = write_cassette(cassette)
    for end in range(len(text)):
        said = ""
        try:
            read_cassette(text[:end], "x")
        except DocumentError as exc:
            said = str(exc)
        assert "\n" not in said


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_any_bytes(text: str | bytes) -> None:
    try:
        read_cassette(text, "x")
    except DocumentError:
        return


def test_a_long_file() -> None:
    with pytest.raises(DocumentError, match="longer than 32 MiB"):
        read_cassette(b"#" * (100 << 20), "x")


def test_the_reference_is_true() -> None:
    """Its example is a cassette without faults, its schema has the keys that are read."""
    page = (Path(__file__).parents[3] / "docs/reference-cassette.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    cassette = read_cassette(example, "example")
    assert write_cassette(cassette) == example
    assert check(cassette) == []
    schema = json.loads(page.partition("```text\n")[2].partition("```")[0])
    assert [*schema["properties"]] == [*_HEAD_KEYS]
    stream = schema["properties"]["sockets"]["items"]["properties"]
    assert [*stream] == ["protocol", "type", "comm", "events"]
    events = [
        name.get("$ref", "").rpartition("/")[2] or name["required"][0]
        for name in stream["events"]["items"]["oneOf"]
    ]
    assert events == [*_EVENTS]
    assert all(f"`{name}`" in page for name in PROTOCOLS)
