"""NETLINK_EMU's registration: who may ask, which operation answers, how mistakes are said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from errno import EINVAL, EPERM, ESRCH
from typing import TYPE_CHECKING, Final

from netlink_emu.families.control.families import FamilyOps
from netlink_emu.families.control.machine import Ahead, MachineOps
from netlink_emu.families.control.ops import Asked
from netlink_emu.families.control.sockets import SocketOps
from netlink_emu.families.control.tasks import TaskOps
from netlink_emu.families.control.watch import FaultOps, WatchOps
from netlink_emu.kernel.dump import LongParts
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlSplitOp
from netlink_emu.machine.credentials import CAP_SYS_ADMIN
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.family import Exchange, Operation
from netlink_emu.protocol.genetlink import GENLMSGHDR
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN
from netlink_emu.protocol.ours.control import CONTROL, WATCH, cmd_of
from netlink_emu.protocol.ours.control_values import Row, write

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.families.control.watch import PendingWait
    from netlink_emu.faults import Faults
    from netlink_emu.journal import Journal
    from netlink_emu.journal.entries import Entry
    from netlink_emu.kernel.current import Current

_JOURNAL_NTF: Final = cmd_of(CONTROL.operation("journal-ntf"))

# The longest text of an extended ack: a value of the request may be in it.
_TEXT_MAX: Final = 400


class Control:
    """The family on one kernel.

    ``owner`` is a user id that may ask beside root: see :meth:`admits`. ``began_wait`` is called
    for each wait that is not over at once: the edge calls its ``expire()`` when its time is up.
    """

    def __init__(
        self, kernel: BootedKernel, journal: Journal, faults: Faults, *, owner: int = 0
    ) -> None:
        self.kernel: Final = kernel
        self.journal: Final = journal
        self.faults: Final = faults
        self.owner: Final = owner
        # What happens in the machine's own time.
        self.agenda: Final[list[Ahead]] = [faults]
        self.began_wait: Callable[[PendingWait], None] | None = None
        self.watch: Final = WatchOps(kernel, journal, reply=self.reply, began=self._began)
        self._sockets: Final = SocketOps(kernel, journal)
        self._ops: Final = {
            **TaskOps(kernel.machine).ops(),
            **MachineOps(kernel, journal, faults, self.agenda).ops(),
            **self.watch.ops(),
            **self._sockets.ops(),
            **FaultOps(faults).ops(),
            **FamilyOps(kernel).ops(),
        }
        self.family: Final = GenlFamily(
            CONTROL.name,
            CONTROL.version,
            tuple(split for op in CONTROL.operations for split in self._declare(op)),
            mcgrps=tuple(group.name for group in CONTROL.groups),
            resv_start_op=CONTROL.resv_start_op,
            admits=self.admits,
            always_strict=True,
        )
        kernel.genl.register_family(self.family)
        journal.muted.add(self.family.id)
        kernel.observe(self.watch)
        kernel.observe(self._sockets)
        journal.sinks.append(self._notify)

    def close(self) -> None:
        """The family is gone."""
        self.kernel.unobserve(self._sockets)
        self.kernel.unobserve(self.watch)
        self.journal.sinks.remove(self._notify)
        self.journal.muted.discard(self.family.id)
        self.kernel.genl.unregister_family(self.family)

    def _declare(self, op: Operation) -> Iterator[GenlSplitOp]:
        def policed(exchange: Exchange) -> GenlSplitOp:
            policy = op.attributes.policy(exchange.request)
            return GenlSplitOp(cmd_of(op), policy=policy, maxattr=op.attributes.highest)

        if op.do is not None:
            yield replace(policed(op.do), doit=lambda info: self._do(op, info))
        if op.dump is not None:
            yield replace(policed(op.dump), dumpit=lambda info: self._dump(op, info))

    # --- requests

    def _do(self, op: Operation, info: GenlInfo) -> None:
        asked = self._asked(op, info)
        with _Said(info):
            reply = self._ops[op.name].do(asked)
        if reply is not None:
            self.reply(asked, reply)

    def _dump(self, op: Operation, info: GenlInfo) -> Iterator[bytes]:
        asked = self._asked(op, info)
        with _Said(info):
            # Looked up now, so that what changes while it is read out is not torn.
            rows = list(self._ops[op.name].dump(asked))
        order = self.kernel.profile.arch.order
        header = GENLMSGHDR[order].pack(cmd_of(op), CONTROL.version, 0)
        parts = [header + write(op.attributes, row, order) for row in rows]
        longest = NLMSG_HDRLEN + max(map(len, parts), default=0)
        if longest <= self.kernel.skb.goodsize:
            return iter(parts)
        return LongParts(iter(parts), longest)

    def reply(self, asked: Asked, values: Row) -> None:
        """Answer a request, now or later."""
        attrs = write(asked.op.attributes, values, self.kernel.profile.arch.order)
        asked.info.reply(cmd_of(asked.op), attrs, len(attrs))

    def _began(self, pending: PendingWait) -> None:
        if self.began_wait is not None:
            self.began_wait(pending)

    def _notify(self, entry: Entry) -> None:
        """A sink of the journal: tell the group."""
        kernel, net = self.kernel, self.kernel.machine.init_net
        group = self.family.mcgrp_offset
        if not kernel.netlink.has_listeners(net, NETLINK_GENERIC, group):
            return
        attrs = write(WATCH, self.watch.row(entry), kernel.profile.arch.order)
        message = self.family.message(kernel, _JOURNAL_NTF, attrs, 0, 0)
        kernel.netlink.broadcast_from_kernel(net, NETLINK_GENERIC, message, group)

    def admits(self, current: Current) -> bool:
        """Whether a client may ask, and listen to the journal.

        It must be the owner or root in the emulated kernel, and really on the host: whom a
        client is said to be can take this away, and never gives it.
        """
        if current.host_uid is not None and current.host_uid() not in (self.owner, 0):
            return False
        return current.cred.uid == self.owner or current.ns_capable(
            self.kernel.machine.init_user_ns, CAP_SYS_ADMIN
        )

    def _asked(self, op: Operation, info: GenlInfo) -> Asked:
        if not self.admits(info.current):
            raise NetlinkError(EPERM)
        return Asked(info, op)


class _Said:
    """Mistakes of who asks become errnos, with what is wrong as the extended ack."""

    def __init__(self, info: GenlInfo) -> None:
        self._info = info

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, exc: BaseException | None, _tb: object) -> None:
        if isinstance(exc, LookupError):
            self._say(f"there is no {exc.args[0]}")
            raise NetlinkError(ESRCH) from exc
        if isinstance(exc, ValueError):
            self._say(str(exc))
            raise NetlinkError(EINVAL) from exc
        if isinstance(exc, NetlinkError) and exc.message:
            self._say(exc.message)

    def _say(self, text: str) -> None:
        short = text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."
        self._info.request.extack.msg = short
