"""The operations of a transcript's steps, one record each.

Field names are the keys of a transcript; None means that the key is absent. What an operation
does is the business of a target; what it brought is in the step's outcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from .masked import MaskedBytes


class Op:
    """Base of all operations. ``NAME`` is the step's op, ``ACTION`` its action if it has one."""

    __slots__ = ()
    NAME: ClassVar[str]
    ACTION: ClassVar[str | None] = None

    def arguments(self) -> dict[str, Any]:
        """The arguments that are present, in the order of their declaration."""
        return {
            field.name: value
            for field in _fields(type(self))
            if (value := getattr(self, field.name)) is not None
        }


OPS: Final[dict[tuple[str, str | None], type[Op]]] = {}


def _register(cls: type[Op]) -> type[Op]:
    OPS[cls.NAME, cls.ACTION] = cls
    return cls


def op_type(name: str, action: str | None) -> type[Op] | None:
    """The record of an operation, None if there is none of that name."""
    return OPS.get((name, action)) or OPS.get((name, None))


def field_names(cls: type[Op]) -> frozenset[str]:
    """The arguments that an operation may have."""
    return frozenset(field.name for field in _fields(cls))


def _fields(cls: type[Op]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)  # type: ignore[arg-type]  # each Op is one, Op itself is not


def make_op(cls: type[Op], arguments: Mapping[str, Any]) -> Op:
    """An operation from its arguments; raises TypeError when one is missing or unknown."""
    return cls(**arguments)


# --- sockets


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket(Op):
    """socket(2); ``type`` is a name (raw, dgram, rdm, ...) or a number."""

    NAME = "socket"
    sock: str
    type: str | int = "raw"
    family: int | None = None
    proto: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPair(Op):
    NAME = "socketpair"
    type: str | int = "raw"
    family: int | None = None
    proto: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind(Op):
    """bind(2) to (pid, groups), to the pid of a task, or to a raw sockaddr."""

    NAME = "bind"
    sock: str
    pid: int | None = None
    groups: int | None = None
    pid_of: str | None = None
    addr_hex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Op):
    """connect(2), addressed as in :class:`Bind`."""

    NAME = "connect"
    sock: str
    pid: int | None = None
    groups: int | None = None
    pid_of: str | None = None
    addr_hex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Op):
    NAME = "close"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSockOpt(Op):
    """setsockopt(2) of an int, or of raw bytes."""

    NAME = "setsockopt"
    sock: str
    level: int
    opt: int
    value: int | None = None
    value_hex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSockOpt(Op):
    """getsockopt(2) with a buffer of ``len`` bytes (4)."""

    NAME = "getsockopt"
    sock: str
    level: int
    opt: int
    len: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Op):
    """A datagram: send(), with ``addr`` or ``addr_hex`` sendto().

    ``addr`` is [portid or name of a socket, groups]. ``iov`` splits the data for sendmsg().
    ``cmsg_creds`` is [pid, the name of a task or "self", uid, gid].
    """

    NAME = "send"
    sock: str
    payload: MaskedBytes
    addr: list[Any] | None = None
    addr_hex: str | None = None
    flags: int | None = None
    iov: int | list[int] | None = None
    via: str | None = None
    cmsg_creds: list[Any] | None = None
    cmsg_rights: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recv(Op):
    """recvmsg() until ``n`` datagrams have come or a call fails; ``via`` read: read(2).

    ``flatten`` compares messages, not datagrams, and leaves out foreign families. ``stats``
    says which fields of STATS may vary (live, zombie, none; absent is live). ``mask_creds``
    names the task whose pid is in the credentials.
    """

    NAME = "recv"
    sock: str
    n: int | None = None
    bufsize: int | None = None
    ctrl: int | None = None
    flags: int | None = None
    via: str | None = None
    blocking: bool | None = None
    flatten: bool | None = None
    stats: str | None = None
    mask_creds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(Op):
    """poll(2): the events as names, IN|OUT|..."""

    NAME = "poll"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpollWatch(Op):
    """From now on note the order in which these sockets become readable."""

    NAME = "epoll_watch"
    sock: str | None = None
    socks: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpollOrder(Op):
    """The watched sockets in the order in which they became readable."""

    NAME = "epoll_order"
    sock: str | None = None
    socks: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcNetlink(Op):
    """The socket's row of /proc/net/netlink."""

    NAME = "procnetlink"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMemberships(Op):
    """getsockopt(NETLINK_LIST_MEMBERSHIPS) with a buffer of ``len`` bytes."""

    NAME = "list_memberships"
    sock: str
    len: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSockName(Op):
    NAME = "getsockname"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPeerName(Op):
    NAME = "getpeername"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen(Op):
    NAME = "listen"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(Op):
    NAME = "accept"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown(Op):
    NAME = "shutdown"
    sock: str
    how: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ioctl(Op):
    NAME = "ioctl"
    sock: str
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachFilter(Op):
    """SO_ATTACH_FILTER with a classic BPF program: [code, jt, jf, k] each."""

    NAME = "attach_filter"
    sock: str
    program: list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachFilter(Op):
    NAME = "detach_filter"
    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Op):
    """A descriptor for CGROUPSTATS: of a path, a pipe, or a socket that is there already."""

    NAME = "open"
    fd: str
    path: str | None = None
    what: str | None = None
    sock: str | None = None
    flags: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseFd(Op):
    NAME = "closefd"
    fd: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep(Op):
    """Let ``ms`` milliseconds pass."""

    NAME = "sleep"
    ms: int


# --- what a task does to itself


@dataclass(frozen=True, slots=True, kw_only=True)
class SetIds(Op):
    NAME, ACTION = "self", "set_ids"
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEuid(Op):
    NAME, ACTION = "self", "set_euid"
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNice(Op):
    NAME, ACTION = "self", "set_nice"
    nice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy(Op):
    NAME, ACTION = "self", "set_policy"
    policy: str
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetComm(Op):
    NAME, ACTION = "self", "set_comm"
    comm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePrivilege(Op):
    """chroot("/"): something that asks for a capability."""

    NAME, ACTION = "self", "use_privilege"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCpu(Op):
    NAME, ACTION = "self", "set_cpu"
    cpu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chdir(Op):
    NAME, ACTION = "self", "chdir"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RlimitCore(Op):
    """RLIMIT_CORE in bytes, -1 for no limit."""

    NAME, ACTION = "self", "rlimit_core"
    bytes: int


# --- what the driver does to a task; the step's task is the one that it is done to


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn(Op):
    """fork: a task on one CPU, by choice in new namespaces, with other ids, or executing."""

    NAME, ACTION = "task", "spawn"
    cpu: int | None = None
    comm: str | None = None
    ids: list[int] | None = None
    unshare: list[str] | None = None
    exec: list[str] | None = None
    stdin: str | None = None
    orphan: bool | None = None
    settle: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread(Op):
    """A second thread in the task; afterwards known as ``thread``."""

    NAME, ACTION = "task", "thread"
    thread: str
    cpu: int | None = None
    comm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit(Op):
    """The task, or its ``thread``, ends itself; returns when it is a zombie or gone."""

    NAME, ACTION = "task", "exit"
    how: str = "exit_group"
    code: int | None = None
    signal: int | None = None
    thread: str | None = None
    argv: list[str] | None = None
    last: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Op):
    """kill(2) from the driver; ``signal`` is a name without SIG, or a number."""

    NAME, ACTION = "task", "signal"
    signal: str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseStdin(Op):
    """Close the pipe that the task reads from, and wait for its end."""

    NAME, ACTION = "task", "close_stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitZombie(Op):
    NAME, ACTION = "task", "wait_zombie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reap(Op):
    NAME, ACTION = "task", "reap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mkdir(Op):
    NAME, ACTION = "task", "mkdir"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rmdir(Op):
    NAME, ACTION = "task", "rmdir"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupAttach(Op):
    """Write the task's pid to the tasks or cgroup.procs file of the cgroup at ``path``."""

    NAME, ACTION = "task", "cgroup_attach"
    path: str


def _register_all() -> None:
    for value in list(globals().values()):
        if isinstance(value, type) and issubclass(value, Op) and value is not Op:
            _register(value)


_register_all()
