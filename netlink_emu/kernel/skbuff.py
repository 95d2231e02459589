"""Socket buffers: a datagram on its way, and what it costs: net/core/skbuff.c.

The sizes are those of 64-bit kernels since 6.3 (small-head cache); they decide how many
datagrams fit a receive buffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current

# pid, as the sender's pid namespace numbers it; global uid and gid (before 3.7: the sender's).
Creds = tuple[int, int, int]

SMP_CACHE_BYTES: Final = 64
SKB_SHARED_INFO: Final = 320  # SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
SKB_STRUCT: Final = 256  # SKB_DATA_ALIGN(sizeof(struct sk_buff))
SKB_SMALL_HEAD_SIZE: Final = 576  # skbuff_small_head: MAX_TCP_HEADER and the shared info
MAX_DUMP_ALLOC: Final = 32768 - SKB_SHARED_INFO  # SKB_WITH_OVERHEAD(32768)
# The emulated machine's memory is small: no datagram is longer (ENOBUFS), and all receive buffers
# together are forced beyond net.core.rmem_max by no more than this. docs/security.md says why.
MAX_DATAGRAM: Final = 16 << 20
MAX_FORCED: Final = 256 << 20


def nlmsg_goodsize(page_size: int) -> int:
    """NLMSG_GOODSIZE: the room in a buffer of one page (8 KiB at most), 3776 for 4 KiB pages."""
    return min(page_size, 8192) - SKB_SHARED_INFO


def _head_size(size: int) -> int:
    """The allocation behind a buffer with room for ``size`` bytes: kmalloc_reserve()."""
    needed = (size + SMP_CACHE_BYTES - 1) // SMP_CACHE_BYTES * SMP_CACHE_BYTES + SKB_SHARED_INFO
    if needed <= SKB_SMALL_HEAD_SIZE:
        return SKB_SMALL_HEAD_SIZE
    return 1 << (needed - 1).bit_length()


@lru_cache(maxsize=1024)  # asked for every datagram, and of few sizes
def alloc_truesize(size: int) -> int:
    """What alloc_skb(size) charges to a receive buffer."""
    return _head_size(size) + SKB_STRUCT


def spare_room(size: int) -> int:
    """The bytes that a buffer with room for ``size`` has beyond: skb_tailroom() less ``size``."""
    return _head_size(size) - SKB_SHARED_INFO - size


@lru_cache(maxsize=1024)
def trimmed_truesize(allocated: int, used: int) -> int:
    """What is charged after netlink_trim(): a buffer that is mostly empty is made smaller."""
    head = _head_size(allocated)
    truesize = head + SKB_STRUCT
    unused = head - SKB_SHARED_INFO - used
    if unused * 2 < truesize:
        return truesize
    return truesize - head + _head_size(used)


@dataclass(slots=True)
class SkBuff:
    """One datagram. ``creds`` are the sender's; zeros for the kernel.

    ``dst_set`` is NETLINK_SKB_DST: the sender named the destination in sendto() or sendmsg().
    """

    data: bytes
    truesize: int
    portid: int = 0
    dst_group: int = 0
    creds: Creds = (0, 0, 0)
    sk: NetlinkSock | None = None
    current: Current | None = None
    dst_set: bool = False
