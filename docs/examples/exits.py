"""Print tasks as they end: a plain TASKSTATS client, with nothing but Python's socket module.

    exits.py [CPULIST [COUNT]]

Registers for the exits on CPULIST (0-3) and ends after COUNT of them (by default never). It
needs CAP_NET_ADMIN on a real kernel, and nothing under `netlink-emu run`.
"""

import os
import signal
import socket
import struct
import sys

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
NLMSG_ERROR, NLM_F_REQUEST, NLM_F_ACK = 2, 1, 4
TASKSTATS_CMD_GET, REGISTER_CPUMASK = 1, 3
TYPE_STATS, TYPE_AGGR_PID = 3, 4
WCOREFLAG = 0x80

COLUMNS = "{:>6}  {:<15} {:>6}  {:<13} {:>8} {:>8} {:>8} {:>9}"


def request(family, command, attribute, payload):
    """One message: nlmsghdr, genlmsghdr, and an attribute padded to four."""
    attr = struct.pack("=HH", 4 + len(payload), attribute) + payload + bytes(-len(payload) % 4)
    header = struct.pack("=IHHII", 20 + len(attr), family, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    return header + struct.pack("=BBH", command, 1, 0) + attr


def attributes(data):
    """The (type, payload) pairs of a run of attributes."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def ask(sock, message):
    """Send a request; its reply, if it has one. Raises OSError for an error."""
    sock.send(message)
    reply = None
    while True:
        data = sock.recv(65536)
        if struct.unpack_from("=H", data, 4)[0] != NLMSG_ERROR:
            reply = data
            continue
        error = -struct.unpack_from("=i", data, 16)[0]
        if error:
            raise OSError(error, os.strerror(error))
        return reply


def how(status):
    """The end of a task in words, from its wait status."""
    if status & 0x7F:
        name = signal.Signals(status & 0x7F).name
        return name + (", core" if status & WCOREFLAG else "")
    return f"exit {status >> 8 & 0xFF}"


def line(stats):
    """One line about a struct taskstats, in the layout of versions 4 to 14 and 16 on."""
    version, exitcode = struct.unpack_from("=HxxI", stats)
    if version < 4 or version == 15:
        return f"struct taskstats of version {version} is not laid out as this program knows it"
    (blkio_delay,) = struct.unpack_from("=Q", stats, 40)
    comm = stats[80:112].split(b"\0")[0].decode(errors="replace")
    uid, _gid, pid = struct.unpack_from("=III", stats, 120)
    etime, utime, stime = struct.unpack_from("=QQQ", stats, 144)
    (read_bytes,) = struct.unpack_from("=Q", stats, 248)
    return COLUMNS.format(
        pid,
        comm,
        uid,
        how(exitcode),
        f"{etime / 1e6:.2f} s",
        f"{(utime + stime) / 1e6:.2f} s",
        f"{blkio_delay / 1e9:.2f} s",
        f"{read_bytes / 2**20:.1f} MiB",
    )


def main(cpulist="0-3", count="0"):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sock.bind((0, 0))
    name = request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, b"TASKSTATS\0")
    family = dict(attributes(ask(sock, name)[20:]))[CTRL_ATTR_FAMILY_ID]
    (family,) = struct.unpack("=H", family)
    ask(sock, request(family, TASKSTATS_CMD_GET, REGISTER_CPUMASK, cpulist.encode() + b"\0"))
    print(f"TASKSTATS is family {family}; waiting for exits on CPUs {cpulist}\n", flush=True)
    print(COLUMNS.format("pid", "command", "uid", "end", "lived", "on CPU", "disk", "read"))
    seen = 0
    while not int(count) or seen < int(count):
        try:
            event = sock.recv(65536)
        except OSError as exc:  # ENOBUFS: we were too slow
            print(f"some exits were lost: {exc}")
            continue
        for kind, nest in attributes(event[20:]):
            if kind == TYPE_AGGR_PID:
                print(line(dict(attributes(nest))[TYPE_STATS]), flush=True)
                seen += 1


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except OSError as exc:
        sys.exit(f"exits.py: {exc}")
