"""The TASKSTATS family: kernel/taskstats.c.

Statistics of a task or a thread group on request, and exit events to whoever registered for the
CPU that the task ended on.
"""

from __future__ import annotations

from collections import defaultdict
from errno import E2BIG, EINVAL, ENOMEM, ESRCH
from typing import TYPE_CHECKING, Final

from netlink_emu.families import cgroupstats
from netlink_emu.families.mk_reply import Reply
from netlink_emu.families.tsacct import (
    Stats,
    Sums,
    add_ctxsw,
    add_times,
    delayacct_add_tsk,
    fill_stats,
    thread_group_times,
)
from netlink_emu.kernel.genetlink import (
    GENL_ADMIN_PERM,
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_STRICT,
    GenlFamily,
    GenlInfo,
    GenlOp,
)
from netlink_emu.kernel.profile import TaskstatsPad
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.task import (
    ExitState,
    Task,
)
from netlink_emu.protocol.attributes import NLA_HDRLEN, nla_total_size
from netlink_emu.protocol.cpulist import parse_cpulist
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GenlOpFlags
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN
from netlink_emu.protocol.policy import NlaPolicy, NlaType, Policy
from netlink_emu.protocol.taskstats import (
    AGROUP,
    BLANK,
    TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK,
    TASKSTATS_CMD_ATTR_PID,
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK,
    TASKSTATS_CMD_ATTR_TGID,
    TASKSTATS_CMD_GET,
    TASKSTATS_CMD_NEW,
    TASKSTATS_GENL_NAME,
    TASKSTATS_GENL_VERSION,
    TASKSTATS_TYPE_PID,
    TASKSTATS_TYPE_TGID,
    TaskstatsType,
    taskstats_layout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel

_CMD_POLICY: Final[Policy] = {
    TASKSTATS_CMD_ATTR_PID: NlaPolicy(NlaType.NLA_U32),
    TASKSTATS_CMD_ATTR_TGID: NlaPolicy(NlaType.NLA_U32),
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK: NlaPolicy(NlaType.NLA_STRING),
    TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK: NlaPolicy(NlaType.NLA_STRING),
}
_FIRST: Final = NLMSG_HDRLEN + GENL_HDRLEN  # where a message's attributes begin
_AGROUP: Final = int(AGROUP)  # an "or" of IntFlag takes 0.4 us
_CMD_ATTR_MAX: Final = int(TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK)


class Taskstats:
    """TASKSTATS in one kernel: its listeners and sequence numbers by CPU, and its operations."""

    def __init__(self, kernel: Kernel) -> None:
        profile = kernel.profile
        self._kernel = kernel
        self._layout: Final = taskstats_layout(profile.taskstats_version, profile.arch.u64_align)
        self._pid_reply: Final = self._reply_at(TASKSTATS_TYPE_PID, _FIRST)
        self._tgid_reply: Final = self._reply_at(TASKSTATS_TYPE_TGID, _FIRST)
        self._second_reply: Final = self._reply_at(
            TASKSTATS_TYPE_TGID, _FIRST + self._pid_reply.size
        )
        # taskstats_packet_size(): room for one aggregate.
        size = nla_total_size(4) + nla_total_size(self._layout.size) + NLA_HDRLEN
        unpadded = profile.taskstats_pad is TaskstatsPad.NEVER
        self._packet_size: Final = size if unpadded else size + NLA_HDRLEN
        # Portids per CPU; the one registered last stands last, and is served first.
        self.listeners: Final[dict[int, list[int]]] = defaultdict(list)
        self.seqnum: Final[dict[int, int]] = defaultdict(int)
        # kmalloc_node() of a listener; a test of a kernel out of memory says False.
        self.allocate: Callable[[], bool] = lambda: True
        flags = GENL_ADMIN_PERM if profile.get_needs_admin else GenlOpFlags(0)
        ops = [
            GenlOp(
                TASKSTATS_CMD_GET,
                flags=flags,
                policy=_CMD_POLICY,
                maxattr=_CMD_ATTR_MAX,
                doit=self.taskstats_user_cmd,
                validate=GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
            )
        ]
        if profile.cgroupstats:
            ops.append(cgroupstats.operation(kernel))
        self.family: Final = GenlFamily(
            TASKSTATS_GENL_NAME,
            TASKSTATS_GENL_VERSION,
            tuple(ops),
            id=profile.config.taskstats_family_id,
            maxattr=0 if profile.per_op_policy else _CMD_ATTR_MAX,
            resv_start_op=cgroupstats.CGROUPSTATS_CMD_NEW,
            netnsok=profile.genl_all_netns,
        )
        kernel.genl.register_family(self.family)
        kernel.machine.tasks.exit_hooks.append(self.taskstats_exit)

    # --- TASKSTATS_CMD_GET

    def taskstats_user_cmd(self, info: GenlInfo) -> None:
        """taskstats_user_cmd(): the first of REGISTER, DEREGISTER, PID, TGID that is there."""
        if TASKSTATS_CMD_ATTR_REGISTER_CPUMASK in info.attrs:
            self._cmd_attr_cpumask(info, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK)
        elif TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK in info.attrs:
            self._cmd_attr_cpumask(info, TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK)
        elif TASKSTATS_CMD_ATTR_PID in info.attrs:
            pid = info.get_u32(TASKSTATS_CMD_ATTR_PID)
            stats = self._stats_for_pid(info.current, pid)
            self._reply(info, self._pid_reply.pack(pid, stats))
        elif TASKSTATS_CMD_ATTR_TGID in info.attrs:
            tgid = info.get_u32(TASKSTATS_CMD_ATTR_TGID)
            sums = self._stats_for_tgid(info.current, tgid)
            self._reply(info, self._tgid_reply.pack(tgid, BLANK | sums))
        else:
            raise NetlinkError(EINVAL)

    def _reply(self, info: GenlInfo, attrs: bytes) -> None:
        info.reply(TASKSTATS_CMD_NEW, attrs, self._packet_size)

    def _find_task(self, current: Current, nr: int) -> Task:
        machine, profile = self._kernel.machine, self._kernel.profile
        if self._kernel.trace is not None:
            self._kernel.trace.stats_wanted(current)
        ns = current.pid_ns if profile.vpid_lookup else machine.init_pid_ns
        task = machine.tasks.find_task_by_pid_ns(nr, ns)
        if task is None:
            raise NetlinkError(ESRCH)
        return task

    def _stats_for_pid(self, current: Current, pid: int) -> Stats:
        """fill_stats_for_pid()."""
        task = self._find_task(current, pid)
        kernel = self._kernel
        user_ns, pid_ns = kernel.machine.init_user_ns, kernel.machine.init_pid_ns
        if kernel.profile.kernel_uses_namespaces:
            user_ns, pid_ns = current.cred.user_ns, current.pid_ns
        return fill_stats(kernel.profile, kernel.machine.clock, user_ns, pid_ns, task)

    def _stats_for_tgid(self, current: Current, tgid: int) -> Sums:
        """fill_stats_for_tgid(): sums over the living threads, and those kept of the dead."""
        first = self._find_task(current, tgid)
        profile, now = self._kernel.profile, self._kernel.machine.clock.monotonic_ns()
        sums: Sums = dict(first.group.stats or {})
        for task in first.group.threads:
            if task.exit_state is ExitState.ALIVE:
                delayacct_add_tsk(profile, sums, task)
                thread_group_times(profile, sums, task, now)
        sums["version"] = profile.taskstats_version
        return sums

    # --- messages

    def _reply_at(self, kind: TaskstatsType, position: int) -> Reply:
        profile = self._kernel.profile
        return Reply(self._layout, profile.arch.order, profile.taskstats_pad, kind, position)

    # --- listeners

    def _cmd_attr_cpumask(self, info: GenlInfo, kind: int) -> None:
        """cmd_attr_register_cpumask() and its opposite: parse() and add_del_listener()."""
        mask = self._parse(info.attrs[kind])
        machine, profile, current = self._kernel.machine, self._kernel.profile, info.current
        if mask & ~machine.cpus.possible_mask:
            raise NetlinkError(EINVAL)
        if profile.register_needs_init_ns and not (
            current.cred.user_ns.is_init and current.pid_ns.is_init
        ):
            raise NetlinkError(EINVAL)
        portid, register = info.request.skb.portid, kind == TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
        cpus = [cpu for cpu in machine.cpus.possible if mask >> cpu & 1]
        if register and all(self._register(cpu, portid) for cpu in cpus):
            return
        # Also the way back when memory ran out: from every CPU asked for.
        for cpu in cpus:
            self._deregister(cpu, portid)
        if register and profile.register_enomem:
            raise NetlinkError(ENOMEM)

    def _parse(self, payload: bytes) -> int:
        """parse(): a cpulist, NUL-terminated or (until 7.2) losing its last character."""
        profile, cpus = self._kernel.profile, self._kernel.machine.cpus
        nr_cpus = profile.config.nr_cpus
        if len(payload) > 100 + 6 * nr_cpus:  # TASKSTATS_CPUMASK_MAXLEN
            raise NetlinkError(E2BIG)
        text = payload
        if not (payload.endswith(b"\0") or profile.cpulist_whole_string):
            text = payload[:-1]
        text = text.partition(b"\0")[0]
        wide = profile.cpulist_nr_cpu_ids_wide or profile.config.cpumask_offstack
        nbits = cpus.nr_cpu_ids if wide else nr_cpus
        return parse_cpulist(text, nbits, profile.cpulist_dialect)

    def _register(self, cpu: int, portid: int) -> bool:
        """False when there is no memory for one more listener."""
        if not self.allocate():
            return False
        listeners = self.listeners[cpu]
        if not (self._kernel.profile.duplicate_register_ignored and portid in listeners):
            listeners.append(portid)
            if self._kernel.trace is not None:
                self._kernel.trace.listener_registered(portid, cpu)
        return True

    def _deregister(self, cpu: int, portid: int) -> None:
        listeners = self.listeners[cpu]
        for index in range(len(listeners) - 1, -1, -1):
            if listeners[index] == portid:
                del listeners[index]
                if self._kernel.trace is not None:
                    self._kernel.trace.listener_deregistered(portid, cpu)
                return

    # --- exits

    def taskstats_exit(self, task: Task, *, group_dead: bool) -> None:
        """taskstats_exit(): account to the thread group, and tell this CPU's listeners."""
        group, listened = task.group, bool(self.listeners.get(task.cpu))
        if not listened and not self._kernel.profile.dead_threads_always_kept:
            return
        if group.stats is None and not group.thread_group_empty:
            group.stats = {}
        if group.stats is not None:
            self._fill_tgid_exit(task, group.stats)
        if listened:
            self._send_cpu_listeners(task, group_dead=group_dead)

    def _fill_tgid_exit(self, task: Task, sums: Sums) -> None:
        profile = self._kernel.profile
        delayacct_add_tsk(profile, sums, task)
        if profile.dead_threads_keep_times:
            add_times(sums, task, self._kernel.machine.clock.monotonic_ns())
            add_ctxsw(sums, task)

    def _send_cpu_listeners(self, task: Task, *, group_dead: bool) -> None:
        kernel, cpu = self._kernel, task.cpu
        machine, profile = kernel.machine, kernel.profile
        seq = self.seqnum[cpu]
        self.seqnum[cpu] = (seq + 1) & 0xFFFFFFFF

        stats = fill_stats(profile, machine.clock, machine.init_user_ns, machine.init_pid_ns, task)
        if group_dead and profile.agroup:
            stats["ac_flag"] |= _AGROUP  # type: ignore[operator]  # not ac_comm
        attrs = self._pid_reply.pack(task.pid, stats)
        group_stats: Sums | None = task.group.stats
        if group_stats is not None and group_dead:
            sums = BLANK | group_stats
            if profile.tgid_exit_version:
                sums["version"] = profile.taskstats_version
            attrs += self._second_reply.pack(task.tgid, sums)

        message = self.family.message(kernel, TASKSTATS_CMD_NEW, attrs, seq, 0)
        # Room for both parts is made for every task of a group that has had threads.
        room = self._packet_size * (1 if group_stats is None else 2)
        skb = SkBuff(message, kernel.skb.alloc_truesize(NLMSG_HDRLEN + GENL_HDRLEN + room))
        self._deliver(skb, cpu)

    def _deliver(self, skb: SkBuff, cpu: int) -> None:
        """send_cpu_listeners(): who is gone is forgotten, who has no room loses this one."""
        listeners, machine = self.listeners[cpu], self._kernel.machine
        gone = self._kernel.netlink.unicast_each(
            machine.init_net, NETLINK_GENERIC, skb, reversed(listeners)
        )
        if gone:
            dead = set(gone)
            listeners[:] = [portid for portid in listeners if portid not in dead]
            if self._kernel.trace is not None:
                for portid in gone:
                    self._kernel.trace.listener_pruned(portid, cpu)
