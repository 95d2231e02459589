"""The loop that takes the stopped calls of one listener, on trio."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.filter.seccomp import Listener, Notification
from netlink_emu.interpose.summary import Summary
from netlink_emu.interpose.syscalls.blocking import TICK, WaitingRoom

# After an answer the next call usually comes at once: waiting for it here, for milliseconds, is
# cheaper than a turn of trio's loop. The rest of the process waits no longer than a stretch.
_LINGER_MS: Final = 1
_STRETCH: Final = 0.005
_POLLIN: Final = select.POLLIN


class Serving(Protocol):
    """The state of who answers the calls. ``ends`` is readable when :meth:`serve_ends` is due."""

    on_ready: Callable[[], None] | None

    @property
    def ends(self) -> select.epoll: ...

    @property
    def summary(self) -> Summary: ...

    @property
    def waiting(self) -> WaitingRoom: ...

    def serve_ends(self) -> None:
        """Take note of what clients did without a stop."""
        ...

    def rest(self) -> None:
        """No call follows at once."""
        ...

    def flush(self) -> None:
        """Carry to the clients what has arrived."""
        ...

    def tick(self) -> None:
        """Look after the calls that wait."""
        ...

    @property
    def needs_ticks(self) -> bool:
        """Whether there is something to look after."""
        ...

    def pace(self, now: float) -> float:
        """Seconds until the next :meth:`tick`, at a time of the monotonic clock."""
        ...

    def close(self) -> None:
        """No client is left, or they are left alone."""
        ...


class Serve(Protocol):
    """Answers calls."""

    def serve(self, notification: Notification) -> None:
        """Answer a call, or keep it waiting."""
        ...


class CallLoop:
    """Has the calls of ``listener`` answered by ``dispatcher``; see :meth:`run`.

    ``errands`` of other threads are done between calls; their owner looks after them when there
    are none.
    """

    def __init__(
        self,
        listener: Listener,
        context: Serving,
        dispatcher: Serve,
        pending: Sequence[Notification] = (),
        errands: Errands | None = None,
    ) -> None:
        self._errands = errands
        self._listener = listener
        self._pending = pending
        self._context = context
        self._context.on_ready = self._arrived
        self._dispatcher = dispatcher
        self._arrival = trio.Event()
        self._someone_waits = trio.Event()
        self._serving = False

    @property
    def summary(self) -> Summary:
        return self._context.summary

    async def run(self) -> None:
        """Serve until the last client has ended. Closes the listener at the end."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._serve_ends)
                nursery.start_soon(self._carry_arrivals)
                nursery.start_soon(self._look_after_waiting)
                await self._serve_calls()
                nursery.cancel_scope.cancel()
        finally:
            self._context.close()
            trio.lowlevel.notify_closing(self._listener)
            self._listener.close()

    async def _serve_calls(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        if self._errands is not None:
            poll.register(self._errands, select.POLLIN)
        for notification in self._pending:
            self._serve(notification)
        while True:
            await trio.lowlevel.wait_readable(self._listener)
            if not self._serve_stretch(poll):
                return

    def _serve_stretch(self, poll: select.poll) -> bool:
        """Answer calls as long as they come without a pause; False when no client is left."""
        self._serving = True
        try:
            clients_left = self._serve_what_comes(poll.poll)
        finally:
            self._serving = False
            self._context.rest()
        if clients_left:
            self._note_waiting()
        return clients_left

    def _serve_what_comes(self, poll: Callable[[int], list[tuple[int, int]]]) -> bool:
        receive, serve, clock = self._listener.receive, self._dispatcher.serve, time.monotonic
        fileno = self._listener.fileno()
        a_call = [(fileno, _POLLIN)]
        end = clock() + _STRETCH
        timeout = 0
        while True:
            try:
                events = poll(timeout)
            except OSError as exc:
                self.summary.failed(exc)
                return True
            stopped = _POLLIN
            if events != a_call:
                if not events:
                    return True
                stopped = dict(events).get(fileno, 0)
                if stopped and not stopped & _POLLIN:
                    return False  # POLLHUP: the last filtered task has ended
                if not stopped or len(events) > 1:
                    self._run_errands()
            if clock() > end:
                # Before the call is taken, not after it is answered: a client that was just
                # woken on this CPU would have to wait until we sleep.
                return True
            notification = receive() if stopped else None
            if notification is not None:
                serve(notification)
            timeout = _LINGER_MS

    def _run_errands(self) -> None:
        if self._errands is not None:
            self._serving = False
            self._context.rest()
            self._errands.run()
            self._serving = True

    def _serve(self, notification: Notification) -> None:
        """Answer a call by itself, perhaps in the midst of another."""
        before, self._serving = self._serving, True
        try:
            self._dispatcher.serve(notification)
        finally:
            self._serving = before
            self._context.rest()

    async def _serve_ends(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._context.ends)
            self._context.serve_ends()
            self._note_waiting()

    def _arrived(self) -> None:
        if not self._serving:
            self._arrival.set()

    async def _carry_arrivals(self) -> None:
        """Datagrams that no call of a client caused: events of the emulated machine."""
        while True:
            await self._arrival.wait()
            self._arrival = trio.Event()
            self._context.flush()

    def _note_waiting(self) -> None:
        if self._context.needs_ticks:
            self._someone_waits.set()  # who sleeps long wakes: another call may end before that

    async def _look_after_waiting(self) -> None:
        context = self._context
        while True:
            await self._someone_waits.wait()
            now = time.monotonic()
            next_tick = now + context.pace(now)
            while context.needs_ticks:
                deadline = context.waiting.next_deadline()
                await self._sleep_until(
                    next_tick if deadline is None else min(next_tick, deadline)
                )
                start = time.monotonic()
                context.waiting.expire(start)
                if start >= next_tick:
                    context.tick()
                    # With very many waiting calls, a tenth of the time is enough for this.
                    spent = time.monotonic() - start
                    next_tick = start + max(context.pace(start), 10 * spent)
                else:
                    next_tick = min(next_tick, start + context.pace(start))
            self._someone_waits = trio.Event()

    async def _sleep_until(self, until: float) -> None:
        """Sleep; if for long, then until another call waits at most."""
        seconds = max(0.0, until - time.monotonic())
        if seconds <= TICK:
            await trio.sleep(seconds)
            return
        self._someone_waits = trio.Event()
        with trio.move_on_after(seconds):
            await self._someone_waits.wait()
