"""The operations of a transcript's steps, one record each.

Field names are the keys of a transcript; None means that the key is absent. What an operation
does is the business of a target; what it brought is in the step's outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .masked import MaskedBytes


from .op import AddressOp, SocketOp, op
from .op import Op as Op  # ops.Op is the type of all of these

# --- sockets


@op("socket")
class Socket(SocketOp):
    """socket(2); ``type`` is a name (raw, dgram, rdm, ...) or a number."""

    type: str | int = "raw"
    family: int | None = None
    proto: int | None = None


@op("socketpair")
class SocketPair(Op):
    type: str | int = "raw"
    family: int | None = None
    proto: int | None = None


@op("bind")
class Bind(AddressOp):
    """bind(2)."""


@op("connect")
class Connect(AddressOp):
    """connect(2)."""


@op("close")
class Close(SocketOp):
    pass


@op("setsockopt")
class SetSockOpt(SocketOp):
    """setsockopt(2) of an int, or of raw bytes."""

    level: int
    opt: int
    value: int | None = None
    value_hex: str | None = None


@op("getsockopt")
class GetSockOpt(SocketOp):
    """getsockopt(2) with a buffer of ``len`` bytes (4)."""

    level: int
    opt: int
    len: int | None = None


@op("send")
class Send(SocketOp):
    """A datagram: send(), with ``addr`` or ``addr_hex`` sendto().

    ``addr`` is [portid or name of a socket, groups]. ``iov`` splits the data for sendmsg().
    ``cmsg_creds`` is [pid, the name of a task or "self", uid, gid].
    """

    payload: MaskedBytes
    addr: list[Any] | None = None
    addr_hex: str | None = None
    flags: int | None = None
    iov: int | list[int] | None = None
    via: str | None = None
    cmsg_creds: list[Any] | None = None
    cmsg_rights: bool | None = None


_RECEIVES: Final = ("recv", "recvfrom", "read", "readv")


@op("recv")
class Recv(SocketOp):
    """recvmsg() until ``n`` datagrams have come or a call fails.

    ``via`` names another call: ``recv``, ``read`` and ``readv`` tell the bytes alone,
    ``recvfrom`` the sender, too. ``iov`` splits the buffer for readv(). A read of no bytes does
    not reach the queue, and counts as an empty datagram. Where ``blocking`` is absent, no call
    waits. ``flatten`` compares messages, not datagrams, and leaves out foreign families.
    ``stats`` says which fields of STATS may vary (live, zombie, none; absent is live).
    ``mask_creds`` names the task whose pid is in the credentials.
    """

    n: int | None = None
    bufsize: int | None = None
    ctrl: int | None = None
    flags: int | None = None
    via: str | None = None
    blocking: bool | None = None
    flatten: bool | None = None
    stats: str | None = None
    mask_creds: str | None = None
    iov: int | list[int] | None = None

    def __post_init__(self) -> None:
        if self.via is not None and self.via not in _RECEIVES:
            raise TypeError(f"via {self.via!r} is none of {', '.join(_RECEIVES)}")

    @property
    def is_file_call(self) -> bool:
        """Whether it is a call of files, which has no flags, and of no bytes does nothing."""
        return self.via in ("read", "readv")


@op("poll")
class Poll(SocketOp):
    """poll(2): the events as names, IN|OUT|..."""


@op("epoll_watch")
class EpollWatch(Op):
    """From now on note the order in which these sockets become readable."""

    sock: str | None = None
    socks: list[str] | None = None


@op("epoll_order")
class EpollOrder(Op):
    """The watched sockets in the order in which they became readable."""

    sock: str | None = None
    socks: list[str] | None = None


@op("procnetlink")
class ProcNetlink(SocketOp):
    """The socket's row of /proc/net/netlink."""


@op("list_memberships")
class ListMemberships(SocketOp):
    """getsockopt(NETLINK_LIST_MEMBERSHIPS) with a buffer of ``len`` bytes."""

    len: int | None = None


@op("getsockname")
class GetSockName(SocketOp):
    pass


@op("getpeername")
class GetPeerName(SocketOp):
    pass


@op("listen")
class Listen(SocketOp):
    pass


@op("accept")
class Accept(SocketOp):
    pass


@op("shutdown")
class Shutdown(SocketOp):
    how: int


@op("ioctl")
class Ioctl(SocketOp):
    request: int


@op("attach_filter")
class AttachFilter(SocketOp):
    """SO_ATTACH_FILTER with a classic BPF program: [code, jt, jf, k] each."""

    program: list[list[int]]


@op("detach_filter")
class DetachFilter(SocketOp):
    pass


@op("open")
class Open(Op):
    """A descriptor for CGROUPSTATS: of a path, a pipe, or a socket that is there already."""

    fd: str
    path: str | None = None
    what: str | None = None
    sock: str | None = None
    flags: int | None = None


@op("closefd")
class CloseFd(Op):
    fd: str


@op("sleep")
class Sleep(Op):
    """Let ``ms`` milliseconds pass."""

    ms: int


# --- what a task does to itself


@op("self", "set_ids")
class SetIds(Op):
    uid: int
    gid: int


@op("self", "set_euid")
class SetEuid(Op):
    uid: int


@op("self", "set_nice")
class SetNice(Op):
    nice: int


@op("self", "set_policy")
class SetPolicy(Op):
    policy: str
    priority: int | None = None


@op("self", "set_comm")
class SetComm(Op):
    comm: str


@op("self", "use_privilege")
class UsePrivilege(Op):
    """chroot("/"): something that asks for a capability."""


@op("self", "set_cpu")
class SetCpu(Op):
    cpu: int


@op("self", "chdir")
class Chdir(Op):
    path: str


@op("self", "rlimit_core")
class RlimitCore(Op):
    """RLIMIT_CORE in bytes, -1 for no limit."""

    bytes: int


# --- what the driver does to a task; the step's task is the one that it is done to


@op("task", "spawn")
class Spawn(Op):
    """fork: a task on one CPU, by choice in new namespaces, with other ids, or executing."""

    cpu: int | None = None
    comm: str | None = None
    ids: list[int] | None = None
    unshare: list[str] | None = None
    exec: list[str] | None = None
    stdin: str | None = None
    orphan: bool | None = None
    settle: bool | None = None


@op("task", "thread")
class Thread(Op):
    """A second thread in the task; afterwards known as ``thread``."""

    thread: str
    cpu: int | None = None
    comm: str | None = None


@op("task", "exit")
class Exit(Op):
    """The task, or its ``thread``, ends itself; returns when it is a zombie or gone."""

    how: str = "exit_group"
    code: int | None = None
    signal: int | None = None
    thread: str | None = None
    argv: list[str] | None = None
    last: bool | None = None


@op("task", "signal")
class Signal(Op):
    """kill(2) from the driver; ``signal`` is a name without SIG, or a number."""

    signal: str | int


@op("task", "close_stdin")
class CloseStdin(Op):
    """Close the pipe that the task reads from, and wait for its end."""


@op("task", "wait_zombie")
class WaitZombie(Op):
    pass


@op("task", "reap")
class Reap(Op):
    pass


@op("task", "mkdir")
class Mkdir(Op):
    path: str


@op("task", "rmdir")
class Rmdir(Op):
    path: str


@op("task", "cgroup_attach")
class CgroupAttach(Op):
    """Write the task's pid to the tasks or cgroup.procs file of the cgroup at ``path``."""

    path: str
