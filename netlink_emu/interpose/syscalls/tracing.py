"""What clients do that our own tracing must know of: ptrace(2), and stopping each other."""

from __future__ import annotations

from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.filter.bpf_filter import PTRACE_TRACEME, SIGNAL_CALLS
from netlink_emu.interpose.syscalls.context import Context
from netlink_emu.interpose.syscalls.trap import Outcome, Trap

ERESTARTNOINTR: Final = 513  # include/linux/errno.h; no program ever sees it


def ptrace(context: Context, trap: Trap) -> Outcome:
    """PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE: we let go, the host's kernel does the rest."""
    if trap.int_arg(0) == PTRACE_TRACEME:
        return _trace_me(context, trap)
    target = proc.thread_seen_from(trap.tid, trap.int_arg(1))
    # Of the caller's own process none can be traced (EPERM), nor would the caller itself stop.
    if target is None or proc.is_thread_of(target, trap.tid):
        return Outcome.PASS
    if not context.let_go(target, lambda: _gone(context, trap)):
        return Outcome.PASS
    context.tracing[trap.tid] = trap.id
    # A thread that waits here could not stop, and so would never be let go.
    context.waiting.restart(target)
    _make_again(context, target)
    return Outcome.ANSWERED


def _gone(context: Context, trap: Trap) -> None:
    """Whom the call is about is not traced by us any more."""
    if context.tracing.get(trap.tid) == trap.id:
        del context.tracing[trap.tid]
        context.listener.let_pass(trap.id)


def _make_again(context: Context, tid: int) -> None:
    """If the thread waits for another to be let go, too, it leaves its call and makes it again."""
    call = context.tracing.pop(tid, None)
    if call is not None:
        context.listener.answer(call, error=ERESTARTNOINTR)


def _trace_me(context: Context, trap: Trap) -> Outcome:
    """The caller can only be let go when it has left this call: it makes it once more."""
    if not context.let_go(trap.tid, lambda: None):
        return Outcome.PASS
    context.listener.answer(trap.id, error=ERESTARTNOINTR)
    return Outcome.ANSWERED


# Those whose first argument is a process, if it is positive.
_TO_A_PROCESS: Final = frozenset({"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"})


def signal(context: Context, trap: Trap, name: str) -> Outcome:
    """A signal that stops or continues: noted, and then sent by the host's kernel."""
    target = None
    if name in _TO_A_PROCESS and trap.int_arg(0) > 0:
        target = proc.thread_seen_from(trap.tid, trap.int_arg(0))
    context.signalled(target, trap.int_arg(SIGNAL_CALLS[name]))
    return Outcome.PASS
