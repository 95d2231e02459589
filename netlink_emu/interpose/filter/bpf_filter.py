"""The seccomp filter: which system calls of a client stop and ask us.

Emulated sockets live at descriptor numbers of a few ranges from ``high`` on, so that a call on
most others leaves the filter after one comparison. The filter is classic BPF over struct
seccomp_data (include/uapi/linux/seccomp.h), whose words it loads in host byte order:

    struct seccomp_data {
        int   nr;                   /*  0 */
        __u32 arch;                 /*  4 */
        __u64 instruction_pointer;  /*  8 */
        __u64 args[6];              /* 16 */
    };                              /* 64 */
"""

from __future__ import annotations

from errno import ENOSYS
from typing import Final

from netlink_emu.interpose.abi import X32_SYSCALL_BIT, Abi, ForeignAbi
from netlink_emu.interpose.filter.ranges import ranges

Instruction = tuple[int, int, int, int]  # struct sock_filter: code, jt, jf, k

# include/uapi/linux/bpf_common.h
LD_W_ABS: Final = 0x20
ALU_AND_K: Final = 0x54
JMP_JA: Final = 0x05
JMP_JEQ_K: Final = 0x15
JMP_JGE_K: Final = 0x35
JMP_JSET_K: Final = 0x45
RET_K: Final = 0x06

SECCOMP_RET_USER_NOTIF: Final = 0x7FC00000
SECCOMP_RET_ERRNO: Final = 0x00050000
SECCOMP_RET_ALLOW: Final = 0x7FFF0000

NR: Final = 0
ARCH: Final = 4

AF_NETLINK: Final = 16
NETLINK_GENERIC: Final = 16
SYS_SOCKET: Final = 1  # of socketcall(2), include/uapi/linux/net.h
F_DUPFD: Final = 0
F_DUPFD_CLOEXEC: Final = 1030

# Requests that AF_UNIX answers and AF_NETLINK does not (ENOTTY): net/unix/af_unix.c unix_ioctl().
FIONREAD: Final = 0x541B
SIOCOUTQ: Final = 0x5411
SIOCATMARK: Final = 0x8905
SIOCUNIXFILE: Final = 0x89E0

# The ways to begin to trace: include/uapi/linux/ptrace.h.
PTRACE_TRACEME: Final = 0
PTRACE_ATTACH: Final = 16
PTRACE_SEIZE: Final = 0x4206

# Signals that stop and continue, one number after the other: include/uapi/asm-generic/signal.h.
SIGCONT: Final = 18
SIGTTOU: Final = 22
# Calls that send signals, by the argument that is its number.
SIGNAL_CALLS: Final = {
    "kill": 1, "tkill": 1, "tgkill": 2, "rt_sigqueueinfo": 1, "rt_tgsigqueueinfo": 2,
    "pidfd_send_signal": 1,
}  # fmt: skip

# Calls whose first argument is a descriptor, and which stop whatever the others are.
FD_CALLS: Final = (
    "read", "write", "readv", "writev", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg",
    "recvmmsg", "bind", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt",
    "shutdown", "listen", "accept", "accept4", "dup",
)  # fmt: skip


def _arg(number: int) -> int:
    """The offset of an argument's low word; x86-64 and aarch64 Linux are little endian here."""
    return 16 + 8 * number


class Assembler:
    """Classic BPF with labels, which may only be jumped to forwards, as in the machine itself.

    A jump leads to a label, or with None to the next instruction.
    """

    def __init__(self) -> None:
        self._code: list[tuple[int, str | None, str | None, int]] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def load(self, offset: int) -> None:
        """A = the word at ``offset``."""
        self._code.append((LD_W_ABS, None, None, offset))

    def mask(self, k: int) -> None:
        """A &= k."""
        self._code.append((ALU_AND_K, None, None, k))

    def jump(self, to: str) -> None:
        self._code.append((JMP_JA, to, None, 0))

    def equal(self, k: int, then: str | None, otherwise: str | None = None) -> None:
        self._code.append((JMP_JEQ_K, then, otherwise, k))

    def at_least(self, k: int, then: str | None, otherwise: str | None = None) -> None:
        """Unsigned A >= k."""
        self._code.append((JMP_JGE_K, then, otherwise, k))

    def any_bit(self, k: int, then: str | None, otherwise: str | None = None) -> None:
        self._code.append((JMP_JSET_K, then, otherwise, k))

    def give(self, action: int) -> None:
        self._code.append((RET_K, None, None, action))

    def assemble(self) -> list[Instruction]:
        """The program; ValueError where a conditional jump leads back or beyond 255."""
        return [self._resolve(at, *code) for at, code in enumerate(self._code)]

    def _resolve(
        self, at: int, code: int, then: str | None, otherwise: str | None, k: int
    ) -> Instruction:
        def distance(label: str | None) -> int:
            return 0 if label is None else self._labels[label] - at - 1

        if code == JMP_JA:
            return code, 0, 0, distance(then)
        jt, jf = distance(then), distance(otherwise)
        if not (0 <= jt <= 255 and 0 <= jf <= 255):
            raise ValueError(f"instruction {at} jumps {jt} and {jf}: only 0 to 255 can be encoded")
        return code, jt, jf, k


def build_filter(
    abi: Abi, *, high: int, allow_io_uring: bool = False, tracers: bool = False
) -> list[Instruction]:
    """The filter for clients of this ABI.

    Everything on a descriptor of ``ranges(high)`` stops, and every socket(AF_NETLINK, ...), of
    whatever protocol, so that those which are not emulated are at least counted. io_uring would
    make sockets without a system call: it is absent (ENOSYS) unless allowed. Other ABIs of the
    host stop where they make generic netlink sockets, so that these are refused and counted. With
    ``tracers`` it stops who begins to trace, for a thread has one tracer only, and that may be us,
    and who sends signals that stop or continue: see :meth:`Tracer.signalled`.
    """
    asm = Assembler()
    asm.load(ARCH)
    asm.equal(abi.audit_arch, "native")
    asm.equal(abi.foreign.audit_arch, None, "allow_early")
    _foreign(asm, abi.foreign, allow_io_uring=allow_io_uring)
    _native(asm, abi, allow_io_uring=allow_io_uring, tracers=tracers)
    _on_descriptor(asm, abi, high)
    asm.label("socket")
    asm.load(_arg(0))
    asm.equal(AF_NETLINK, "notify", "allow")
    if tracers:
        _tracing(asm)
    if abi.x32:
        _x32(asm, abi, allow_io_uring=allow_io_uring)
    asm.label("notify")
    asm.give(SECCOMP_RET_USER_NOTIF)
    asm.label("allow")
    asm.give(SECCOMP_RET_ALLOW)
    asm.label("enosys")
    asm.give(SECCOMP_RET_ERRNO | ENOSYS)
    return asm.assemble()


def _native(asm: Assembler, abi: Abi, *, allow_io_uring: bool, tracers: bool) -> None:
    """Which calls are looked at further, by their number."""
    asm.label("native")
    asm.load(NR)
    if abi.x32:
        asm.any_bit(X32_SYSCALL_BIT, "x32")
    asm.equal(abi.numbers["socket"], "socket")
    if not allow_io_uring:
        asm.equal(abi.numbers["io_uring_setup"], "enosys")
    for name in (*FD_CALLS, "fcntl", "ioctl"):
        asm.equal(abi.numbers[name], "descriptor")
    if tracers:
        asm.equal(abi.numbers["ptrace"], "ptrace")
        for name, arg in SIGNAL_CALLS.items():
            asm.equal(abi.numbers[name], f"signal {arg}")
    asm.jump("allow")


def _on_descriptor(asm: Assembler, abi: Abi, high: int) -> None:
    """A call on a descriptor stops if that is ours; of fcntl(2) and ioctl(2) only some do."""
    asm.label("descriptor")
    asm.load(_arg(0))
    for first, end in ranges(high):
        asm.at_least(first, None, "allow")
        asm.at_least(end, None, "ours")
    asm.jump("allow")
    asm.label("ours")
    asm.load(NR)
    asm.equal(abi.numbers["fcntl"], "fcntl")
    asm.equal(abi.numbers["ioctl"], "ioctl", "notify")
    asm.label("fcntl")
    asm.load(_arg(1))
    asm.equal(F_DUPFD, "notify")
    asm.equal(F_DUPFD_CLOEXEC, "notify", "allow")
    asm.label("ioctl")
    asm.load(_arg(1))
    for request in (FIONREAD, SIOCOUTQ, SIOCATMARK):
        asm.equal(request, "notify")
    asm.equal(SIOCUNIXFILE, "notify", "allow")


def _tracing(asm: Assembler) -> None:
    """Who begins to trace stops, and who sends a signal that stops or continues."""
    asm.label("ptrace")
    asm.load(_arg(0))
    for request in (PTRACE_TRACEME, PTRACE_ATTACH):
        asm.equal(request, "notify")
    asm.equal(PTRACE_SEIZE, "notify", "allow")
    for arg in sorted(set(SIGNAL_CALLS.values())):
        asm.label(f"signal {arg}")
        asm.load(_arg(arg))
        asm.at_least(SIGCONT, None, "allow")
        asm.at_least(SIGTTOU + 1, "allow", "notify")


def _x32(asm: Assembler, abi: Abi, *, allow_io_uring: bool) -> None:
    """The x32 ABI has the numbers of x86-64, with a bit."""
    asm.label("x32")
    asm.mask(~X32_SYSCALL_BIT & 0xFFFFFFFF)
    if not allow_io_uring:
        asm.equal(abi.numbers["io_uring_setup"], "enosys")
    asm.equal(abi.numbers["socket"], None, "allow")
    _generic_netlink(asm, then="notify", otherwise="allow")


def _generic_netlink(asm: Assembler, then: str, otherwise: str) -> None:
    asm.load(_arg(0))
    asm.equal(AF_NETLINK, None, otherwise)
    asm.load(_arg(2))
    asm.equal(NETLINK_GENERIC, then, otherwise)


def _foreign(asm: Assembler, abi: ForeignAbi, *, allow_io_uring: bool) -> None:
    asm.load(NR)
    if not allow_io_uring:
        asm.equal(abi.io_uring_setup, "enosys")
    if abi.socketcall is not None:
        asm.equal(abi.socketcall, "socketcall")
    asm.equal(abi.socket, None, "allow_early")
    _generic_netlink(asm, then="notify", otherwise="allow_early")
    if abi.socketcall is not None:
        # Its arguments are in memory: the supervisor looks.
        asm.label("socketcall")
        asm.load(_arg(0))
        asm.equal(SYS_SOCKET, "notify")
    asm.label("allow_early")
    asm.give(SECCOMP_RET_ALLOW)
