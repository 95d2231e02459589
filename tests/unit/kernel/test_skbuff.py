"""What a datagram costs: net/core/skbuff.c, and what /proc/net/netlink of real kernels showed."""

from __future__ import annotations

import dataclasses

import pytest

from netlink_emu.kernel.profile import MAX_HEADERS, KernelConfig, Profile
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.skbuff import SkbSizes, max_header_for, skb_sizes


def sizes(release: str, arch: str = "x86_64", max_header: int = 32) -> SkbSizes:
    return skb_sizes(profile_for(release, arch=arch, config=KernelConfig(max_header=max_header)))


@pytest.mark.parametrize(
    ("release", "arch", "max_header", "truesize"),
    [
        # Seen: an ack, an error, a reply of nlctrl on machines that ran.
        ("5.10.262", "x86_64", 80, 768),
        ("6.1.176", "x86_64", 80, 768),
        ("6.12.117", "x86_64", 80, 896),
        ("6.18.44", "x86_64", 32, 832),
        ("7.3", "x86_64", 80, 896),
        ("6.1.176", "s390x", 80, 1280),
        ("6.12.107", "s390x", 144, 1536),
        ("7.3", "s390x", 80, 1024),
        # From the source: no power of two, to tell it from kmalloc's.
        ("6.3", "x86_64", 32, 832),
        ("6.3", "x86_64", 80, 832),
        ("6.12.17", "x86_64", 176, 960),
        ("6.18", "i386", 32, 512 + 64 + 192),
        ("6.1", "i386", 32, 704),
        ("6.18", "ppc64", 32, 384 + 384 + 256),
    ],
)
def test_a_small_datagram(release: str, arch: str, max_header: int, truesize: int) -> None:
    of = sizes(release, arch, max_header)
    assert of.alloc_truesize(36) == of.alloc_truesize(136) == truesize


@pytest.mark.parametrize(
    ("release", "arch", "goodsize", "shared_info"),
    [
        ("5.10", "x86_64", 3776, 320),
        ("6.18", "x86_64", 3776, 320),
        ("6.12", "s390x", 3584, 512),
        ("6.18", "ppc64", 4096 - 384, 384),
        ("6.18", "i386", 3840, 256),
        ("6.18", "sparc64", 8192 - 320, 320),
        ("6.18", "loongarch64", 8192 - 320, 320),
    ],
)
def test_a_page_s_room(release: str, arch: str, goodsize: int, shared_info: int) -> None:
    of = sizes(release, arch)
    assert (of.goodsize, of.shared_info) == (goodsize, shared_info)
    assert of.max_dump == 32768 - shared_info


@pytest.mark.parametrize(
    ("arch", "smallest"), [("x86_64", 2304), ("s390x", 2304), ("i386", 2240), ("parisc64", 2288)]
)
def test_the_smallest_buffers(arch: str, smallest: int) -> None:
    of = sizes("6.18", arch)
    assert (of.min_rcvbuf, of.min_sndbuf) == (smallest, 2 * smallest)


def test_larger_ones_take_a_power_of_two() -> None:
    of = sizes("6.18")
    # An event of one task, one of a thread group, a dump's page.
    assert [of.alloc_truesize(size) for size in (596, 1172, 3776)] == [1280, 2304, 4352]
    assert of.spare_room(3776) == 0
    assert of.spare_room(4000) == 8192 - 320 - 4000


def test_what_a_client_sends_is_not_rounded_beyond_a_page() -> None:
    of = sizes("6.18")
    assert of.large_truesize(3776) == of.alloc_truesize(3776)
    assert of.large_truesize(3777) == 3840 + 320 + 256
    assert of.large_truesize(100_000) == 100_032 + 320 + 256


def test_a_buffer_that_is_mostly_empty_is_made_smaller() -> None:
    of = sizes("6.18")
    assert of.trimmed_truesize(3756, 136) == 832
    assert of.trimmed_truesize(3756, 3000) == 4352


@pytest.mark.parametrize("release", ["6.3", "6.12.17", "6.18", "7.3"])
@pytest.mark.parametrize("arch", ["x86_64", "s390x", "i386", "riscv64"])
@pytest.mark.parametrize("max_header", MAX_HEADERS)
def test_the_longest_header_from_what_a_datagram_costs(
    release: str, arch: str, max_header: int
) -> None:
    profile = profile_for(release, arch=arch)
    truesize = sizes(release, arch, max_header).alloc_truesize(1)
    found = max_header_for(profile, truesize)
    assert found is not None
    assert found <= max_header
    config = dataclasses.replace(profile.config, max_header=found)
    assert skb_sizes(dataclasses.replace(profile, config=config)).alloc_truesize(1) == truesize


def test_no_header_has_to_do_with_it() -> None:
    assert max_header_for(profile_for("6.1"), 768) is None
    assert max_header_for(Profile(), 12345) is None


def test_a_header_that_no_kernel_has() -> None:
    with pytest.raises(ValueError, match="max_header is between 32 and 176, not 200"):
        KernelConfig(max_header=200)
