"""Journals to look at."""

from __future__ import annotations

from helpers.kernel import Bench

from netlink_emu.journal import Journal


def everything(bench: Bench, text: str) -> Journal:
    """A journal with every kind of entry that a client can cause."""
    journal = Journal(bench.kernel)
    sock = bench.sock(7)
    sock.setsockopt(bench.current, 1, 8, b"\1\0\0\0")
    sock.setsockopt(bench.current, 270, 1, b"\x10\0\0\0")
    bench.register(sock, "0-1")
    bench.ask(sock, bench.request(0x1F, 1, [(1, b"\x92\x10\0\0")]))
    bench.ask(sock, bench.request(0x1F, 1, [(1, bytes(8))]))
    tasks = bench.machine.tasks
    for _ in range(2):
        bench.clock.advance(0.5)
        tasks.do_group_exit(tasks.fork(comm="</script>"), 5 << 8)
    journal.faulted(sock, b"\x10\0\0\0\3\0\0\0" + bytes(8), text, 1)
    sock.release()
    tasks.do_group_exit(tasks.fork(comm="w", cpu=1), 5 << 8)
    journal.note(text)
    return journal


def an_exchange(bench: Bench, *, fault: bool) -> Journal:
    """A journal with every kind of entry, or with every kind but faults."""
    journal = Journal(bench.kernel)
    sock = bench.sock(7)
    sock.setsockopt(bench.current, 1, 8, b"\1\0\0\0")
    sock.setsockopt(bench.current, 270, 1, b"\x10\0\0\0")
    bench.register(sock, "0-1")
    bench.ask(sock, bench.request(0x1F, 1, [(1, bytes(8))]))
    tasks = bench.machine.tasks
    for _ in range(2):
        bench.clock.advance(0.5)
        tasks.do_group_exit(tasks.fork(comm="w"), 5 << 8)
    if fault:
        dropped = bench.request(0x1F, 1, [(1, bytes(4))])
        journal.faulted(sock, dropped, "drop", 1, is_request=True)
    sock.release()
    tasks.do_group_exit(tasks.fork(comm="w", cpu=1), 5 << 8)
    journal.note("the end")
    return journal
