"""Makes transcripts: a case's steps on the machine's own kernel, twice, compared and masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from netlink_emu.host.release import upstream_release
from netlink_emu.protocol.format import HOST_ORDER

from .cases import ops
from .cases.case import MAIN, Case, Cmsg, Datagram, Outcome, Step
from .cases.masked import Mask, MaskedBytes, Symbol
from .cases.names import NOTHING
from .judge.bindings import Bindings, guards_hold
from .judge.compare import compare_step
from .judge.masking import Known, mask_datagram
from .judge.relations import Relations
from .targets.kernel import KernelTarget
from .targets.real import probe
from .targets.real.here import arch_name
from .targets.real.quiet import wait_for_quiet
from .targets.target import About, Session

_TRIES = 30  # pairs of runs, because others' exits disturb
_DISTURBED = "others' exits disturbed the run"


class NotReproducible(Exception):
    """Two runs of the same steps differ where nothing may; the message says where."""


class Disturbed(NotReproducible):
    """Others' tasks ended in every run: there was no quiet moment."""


@dataclass(slots=True)
class _Run:
    """One run: what it learnt, and the masked steps."""

    known: Known
    steps: list[Step] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    requests: dict[str, dict[int, MaskedBytes]] = field(default_factory=dict)
    unbound: set[str] = field(default_factory=set)  # sockets that autobind or a pid names
    explicit: set[int] = field(default_factory=set)  # portids that the case itself gave


def record(case: Case, target: KernelTarget) -> Case:
    """The transcript of a case's steps on this machine.

    Kept of the case are its names, its requests with their symbols, and its relations; every
    outcome is new. Raises NotReproducible, or Disturbed where the machine was never quiet, and
    TargetError or Unsupported of the target.
    """
    trouble = ""
    for attempt in range(1, _TRIES + 1):
        first, trouble_a = _transcript(case, target)
        second, trouble_b = _transcript(case, target)
        trouble = trouble_a or trouble_b or _difference(first, second)
        if not trouble:
            return first
        if trouble == _DISTURBED:
            wait_for_quiet(attempt)
    kind = Disturbed if trouble == _DISTURBED else NotReproducible
    raise kind(f"{case.name}: {trouble}")


def _transcript(case: Case, target: KernelTarget) -> tuple[Case, str]:
    with target.session(case) as session:
        bindings = Bindings(session, HOST_ORDER)
        run = _Run(Known(target.family_id or 0, HOST_ORDER))
        for step in case.steps:
            _one_step(step, session, bindings, run)
        trouble = ""
        if session.foreign or not guards_hold(case, run.outcomes):
            trouble = _DISTURBED
        for mismatch in Relations(case, run.outcomes, bindings).check():
            trouble = mismatch.text
    made = dataclasses.replace(
        case,
        steps=tuple(run.steps),
        kernel=upstream_release(),
        arch=arch_name(),
        cpus_possible=probe.cpus_possible(),
        needs_quiet=case.needs_quiet or any(_has_event(step) for step in run.steps),
    )
    return made, trouble


def _has_event(step: Step) -> bool:
    return any(
        mask.symbol.kind == "SEQ_EVENT"
        for datagram in step.expect.datagrams or ()
        for mask in datagram.payload.masks
    )


def _one_step(step: Step, session: Session, bindings: Bindings, run: _Run) -> None:
    prepared = bindings.prepare(step)
    outcome = session.execute(prepared)
    symbols = _result_symbols(step, outcome, run)
    op = step.op
    if isinstance(op, ops.Send) and isinstance(prepared.op, ops.Send):
        payload = MaskedBytes(prepared.op.payload.data, op.payload.masks)
        op = dataclasses.replace(op, payload=payload)
        seq = int.from_bytes(payload.data[8:12], HOST_ORDER.name)
        run.requests.setdefault(op.sock, {})[seq] = payload
    if isinstance(op, ops.Recv):
        outcome = _masked(op, outcome, run)
    made = dataclasses.replace(step, op=op, expect=dataclasses.replace(outcome, symbols=symbols))
    bindings.learn(made, outcome)
    _learn(step, outcome, run, bindings)
    run.steps.append(made)
    run.outcomes.append(outcome)


def _result_symbols(step: Step, outcome: Outcome, run: _Run) -> dict[str | int, Symbol]:
    match step.op:
        case ops.Spawn():
            return {"pid": Symbol("PID", step.actor)}
        case ops.Thread():
            return {"tid": Symbol("PID", step.op.thread)}
        case ops.Open() if outcome.error is None:
            return {"fd": Symbol("FD", step.op.fd)}
        case ops.GetSockName() if step.op.sock in run.unbound and outcome.result[0]:
            if outcome.result[0] not in run.explicit:
                return {0: Symbol("PORTID", step.op.sock)}
        case ops.ListMemberships():
            return {"optlen_out": Symbol("NGROUPS_BYTES", "")}
    return {}


def _learn(step: Step, outcome: Outcome, run: _Run, bindings: Bindings) -> None:
    known = run.known
    match step.op:
        case ops.Spawn():
            pid = outcome.result["pid"]
            known.pids[pid] = known.tgids[pid] = step.actor
            pid_ns = "pid" in (step.op.unshare or ())
            parent = "init" if step.op.orphan else f"{step.actor}.outer" if pid_ns else MAIN
            known.parents[step.actor] = parent
        case ops.Thread():
            known.pids[outcome.result["tid"]] = step.op.thread
            known.parents[step.op.thread] = known.parents.get(step.actor, MAIN)
        case ops.Socket() if outcome.error is None:
            run.unbound.add(step.op.sock)
        case ops.Bind() if named := _named(step.op):
            run.explicit.add(named)  # even a bind that fails leaves its portid
            if outcome.error is None:
                run.unbound.discard(step.op.sock)
        case ops.Close():
            run.unbound.discard(step.op.sock)
        case ops.Bind():
            pass
        case ops.Send() | ops.Connect():
            pass
        case _:
            return
    for sock in run.unbound:
        portid = bindings.value(Symbol("PORTID", sock))
        if portid and portid not in run.explicit:
            known.portids[portid] = sock


def _named(op: ops.Bind) -> int:
    """The portid that a bind names; 0 for autobind, or where only the run can tell."""
    if op.addr_hex is not None:
        return int.from_bytes(bytes.fromhex(op.addr_hex)[4:8], HOST_ORDER.name)
    return op.pid or 0


def _masked(op: ops.Recv, outcome: Outcome, run: _Run) -> Outcome:
    requests = run.requests.get(op.sock, {})
    datagrams = []
    for datagram in outcome.datagrams or ():
        payload = mask_datagram(datagram.payload.data, run.known, op.stats, requests)
        sender = datagram.sender
        name = run.known.portids.get(sender[0]) if sender is not None else None
        datagrams.append(
            dataclasses.replace(
                datagram,
                payload=payload,
                sender_symbol=None if name is None else Symbol("PORTID", name),
                cmsgs=None if datagram.cmsgs is None else tuple(_cmsgs(datagram, op, run)),
            )
        )
    drained = outcome.error == "EAGAIN" and not op.blocking
    return dataclasses.replace(
        outcome, datagrams=tuple(datagrams), error=NOTHING if drained else outcome.error
    )


def _cmsgs(datagram: Datagram, op: ops.Recv, run: _Run) -> Iterator[Cmsg]:
    for cmsg in datagram.cmsgs or ():
        pid = int.from_bytes(cmsg.payload.data[:4], HOST_ORDER.name)
        if op.mask_creds is not None and run.known.pids.get(pid) == op.mask_creds:
            mask = Mask(0, 4, Symbol("PID", op.mask_creds))
            yield Cmsg(cmsg.level, cmsg.type, MaskedBytes(cmsg.payload.data, (mask,)))
        else:
            yield cmsg


def _difference(first: Case, second: Case) -> str:
    """Where two transcripts of the same steps differ outside their masks; "" if nowhere."""
    for index, (a, b) in enumerate(zip(first.steps, second.steps, strict=True)):
        if _shape(a) != _shape(b):
            return f"two runs differ in where values vary, step {index}"
        bindings = _SecondRun()
        for mismatch in compare_step(first, index, a, b.expect, bindings):
            return f"two runs differ, step {index}: {mismatch.what}: {mismatch.text}"
    return ""


def _shape(step: Step) -> list[object]:
    return [
        [(mask.offset, mask.length, mask.symbol) for mask in datagram.payload.masks]
        for datagram in step.expect.datagrams or ()
    ]


class _Nobody:
    """The session of a comparison between records: nothing is carried out, nobody is asked."""

    def execute(self, step: Step) -> Outcome:
        raise AssertionError(step)

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        return None


class _SecondRun(Bindings):
    """Leaves every mask loose: what is under it was checked to be the same symbol."""

    def __init__(self) -> None:
        super().__init__(_Nobody(), HOST_ORDER)

    def resolve(self, masked: MaskedBytes, actor: str) -> MaskedBytes:
        return masked
