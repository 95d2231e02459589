"""NETLINK_EMU: who may use it, and that it is what is declared."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from errno import EAFNOSUPPORT, EINVAL, ENOENT, EOPNOTSUPP, EPERM, ERANGE, ESRCH
from typing import Any

import pytest
from helpers.messages import attrs, receive, request

from netlink_emu.protocol.attributes import NLA_F_NESTED
from netlink_emu.protocol.netlink import NLMSG_ERROR
from netlink_emu.protocol.ours.control import CONTROL, NETLINK_EMU, TASK, cmd_of
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import Remote


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


class TestPermission:
    def test_strangers_may_not(self) -> None:
        with EmulatedKernel(control=True, uid=12345) as kernel:
            with Remote(kernel.path) as remote, pytest.raises(ControlError) as raised:
                remote.dump("task-get")
            assert raised.value.errno == EPERM

    def test_the_owner_may(self) -> None:
        with EmulatedKernel(control=True, uid=os.geteuid()) as kernel, Remote(kernel.path) as it:
            assert len(it.dump("task-get")) == 1

    def test_without_control_there_is_no_such_family(self) -> None:
        with (
            EmulatedKernel() as kernel,
            pytest.raises(ControlError, match="was not started with --control"),
        ):
            Remote(kernel.path)

    def test_a_process_of_the_host_is_told_what_to_do(self) -> None:
        with pytest.raises(ControlError, match="or run this under netlink-emu run --control"):
            Remote()

    def test_where_there_is_no_netlink(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_args: object) -> None:
            raise OSError(EAFNOSUPPORT, os.strerror(EAFNOSUPPORT))

        monkeypatch.setattr(socket, "socket", refuse)
        with pytest.raises(ControlError, match="no netlink socket can be made here: Address fam"):
            Remote()

    @pytest.mark.parametrize(("control", "families"), [(False, 2), (True, 3)])
    def test_without_control_no_number_leads_to_it(self, control: bool, families: int) -> None:
        """Whoever guesses its number, and its commands, finds nobody there."""
        found = set()
        with EmulatedKernel(control=control) as kernel, kernel.connect() as sock:
            for number in range(0x10, 0x400):
                for command in (1, 2, 3):
                    sock.send(struct.pack("=IHHIIBBxx", 20, number, 5, 1, 0, command, 1))
                    kind = error = 0
                    while kind != NLMSG_ERROR:  # which an ack is, too
                        kind, error = struct.unpack_from("=H10xi", sock.recv(4096), 4)
                    if error != -ENOENT:
                        found.add(number)
        assert len(found) == families

    @pytest.mark.parametrize("release", ["2.6.18", "4.11"])
    def test_a_release_without_extended_acks(self, release: str) -> None:
        with EmulatedKernel(release, control=True) as kernel, Remote(kernel.path) as remote:
            amounts = {"min-flt": 7}  # NLA_F_NESTED is no older than 2.6.24
            task = attrs(remote.do("task-new", {"comm": "x", "cpu": 0, "amounts": amounts}))
            assert kernel.tasks[task["pid"]].task.min_flt == 7
            assert kernel.tasks[task["pid"]].comm == "x"
            with pytest.raises(ControlError, match="ESRCH") as raised:
                remote.do("task-get", {"pid": 77})
            assert raised.value.errno == ESRCH
            listed = [sys.executable, "-m", "netlink_emu.cli.main", "tasks", "list", "--json"]
            done = kernel.run(listed)
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr

    def test_nobody_there(self, tmp_path: Any) -> None:
        with pytest.raises(ControlError, match=r"no server at .*: No such file or directory"):
            Remote(tmp_path / "none")

    def test_the_kernel_ends(self, kernel: EmulatedKernel, remote: Remote) -> None:
        kernel.close()
        for _ in range(2):
            with pytest.raises(ControlError, match="the server has closed the connection"):
                remote.do("journal-note", {"text": "x"})


class TestDeclaration:
    def test_every_operation_is_there(self, kernel: EmulatedKernel, remote: Remote) -> None:
        for op in CONTROL.operations:
            for flags, there in ((5, op.do is not None), (0x301, op.dump is not None)):
                sock = kernel.connect()
                sock.send(request(cmd_of(op), flags=flags, family=remote.family_id))
                answer = receive(sock)
                assert (answer.error == -EOPNOTSUPP) is not there, op.name
                sock.close()

    @pytest.mark.parametrize(
        ("attr", "error"),
        [
            ((TASK["pid"].number, b"\1"), EINVAL),
            ((TASK["state"].number, (6).to_bytes(4, "little")), ERANGE),
            ((TASK["amounts"].number | NLA_F_NESTED, b"\x08\0\x63\0" + bytes(4)), EINVAL),
            ((TASK["amounts"].number | NLA_F_NESTED, b"\x08\0\x01\0" + bytes(4)), EINVAL),
        ],
        ids=["short", "no-state", "no-amount", "short-amount"],
    )
    def test_policies_are_what_is_declared(
        self, kernel: EmulatedKernel, remote: Remote, attr: tuple[int, bytes], error: int
    ) -> None:
        number = cmd_of(CONTROL.operation("task-set"))
        sock = kernel.connect()
        sock.send(request(number, attr, family=remote.family_id))
        assert receive(sock).error == -error

    def test_names_follow_the_specs_rules(self) -> None:
        for op in CONTROL.operations:
            name = f"NLEMU_CMD_{op.name.upper().replace('-', '_')}"
            assert NETLINK_EMU.commands[cmd_of(op)] == name
            assert op.doc.endswith(".")
            assert all(attribute.doc.endswith(".") for attribute in op.attributes)
