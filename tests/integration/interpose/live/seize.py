"""Traces whom nobody may trace: itself, and a thread of its own; then two trace each other."""

import ctypes
import errno
import os
import threading

PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17

libc = ctypes.CDLL(None, use_errno=True)


def seize(tid: int) -> str:
    done = libc.ptrace(PTRACE_SEIZE, tid, None, None)
    return "0" if not done else errno.errorcode[ctypes.get_errno()]


def another_thread(end: threading.Event) -> int:
    tids: list[int] = []
    ready = threading.Event()

    def live() -> None:
        tids.append(threading.get_native_id())
        ready.set()
        end.wait()

    threading.Thread(target=live).start()
    ready.wait()
    return tids[0]


def say(whom: str, outcome: str) -> None:
    os.write(1, f"{whom} {outcome}\n".encode())  # at once, for two speak at a time


def main() -> None:
    say("oneself", seize(os.getpid()))
    end = threading.Event()
    say("a thread of one's own", seize(another_thread(end)))
    end.set()
    go, start = os.pipe()
    until, done = os.pipe()
    child = os.fork()
    if not child:
        os.read(go, 1)
        say("each other", seize(os.getppid()))
        os.read(until, 1)  # or the other would find a zombie
        os._exit(0)
    os.write(start, b"x")
    say("each other", seize(child))
    os.write(done, b"x")
    while True:
        pid, status = os.waitpid(-1, 0)
        if not os.WIFSTOPPED(status):
            break
        libc.ptrace(PTRACE_DETACH, pid, None, None)
    say("ended", str(status))


main()
