"""Plays a cassette to the sockets of an emulated kernel, instead of the kernel's own answers.

The socket layer stays the kernel's: portids, buffers, overruns, options, memberships. A socket's
first request decides which stream it gets. Each request is matched with the next unused equal
request of that stream, or else of any stream. A request without an equal is refused, with an
extended ack that names the nearest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from errno import EOPNOTSUPP
from typing import Final, Protocol

from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.match import Ignore, Rewriter, blanked, messages, nearest, nothing
from netlink_emu.cassettes.model import Answer, Bound, Cassette, Event, Failed, Request, Stream
from netlink_emu.cassettes.playing.batches import by_request, errno_of
from netlink_emu.cassettes.playing.following import following
from netlink_emu.cassettes.playing.held import Held, Rest
from netlink_emu.cassettes.playing.track import Track, Unused
from netlink_emu.cassettes.secrets import find_in
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.netlink_rcv import Request as NetlinkRequest
from netlink_emu.kernel.netlink_rcv import netlink_ack, netlink_rcv_skb
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NETLINK_GENERIC


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A request without an equal on the cassette. ``said`` is the text that the client got."""

    sk: NetlinkSock
    data: bytes
    said: str

    @property
    def who(self) -> str:
        """The client, in words."""
        return f"process {self.sk.creator.tgid_vnr}"


def _with_redacted(cassette: Cassette, ignore: Ignore, order: ByteOrder) -> Ignore:
    """Ignore blanked attributes: the client has its secrets, and the cassette has zeros."""
    names = cassette.head.redacted
    if not names:
        return ignore
    find = find_in(cassette, order, names)

    def both(protocol: int, message: bytes) -> Iterator[range]:
        yield from ignore(protocol, message)
        yield from (part for _, part in find(protocol, message))

    return both


class Live(Protocol):
    """A kernel that answers what is not on the cassette."""

    def ask(self, sk: NetlinkSock, data: bytes) -> Sequence[Event]:
        """What came of a request, with the portid and the nlmsg_seqs of ``sk``."""


class Tape:
    """A cassette in a kernel: from now on it answers the protocols of its sockets.

    ``ignore`` gives the bytes of a message that may differ. With ``repeat`` a request may be made
    more often than it was recorded. ``live`` is asked what is not on the cassette, of any of
    ``protocols``, too. With ``hold`` multicast messages wait in ``held``.
    ``note`` is told of each request that is played.
    """

    def __init__(
        self,
        kernel: Kernel,
        cassette: Cassette,
        *,
        ignore: Ignore = nothing,
        repeat: bool = False,
        live: Live | None = None,
        protocols: Iterable[int] = (),
        hold: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._kernel: Final = kernel
        self._live: Final = live
        self._note: Final = note
        self.held: Final = Held(self._arrive) if hold else None
        self.protocols: Final = cassette.protocols | frozenset(protocols)
        self.cassette: Final = cassette
        self.repeat: Final = repeat
        self._order: Final = kernel.profile.arch.order
        self._ignore: Final = _with_redacted(cassette, ignore, self._order)
        self._fields: Final = Fields(cassette, self._order)
        self._tracks: Final = [*map(self._track, range(len(cassette.streams)), cassette.streams)]
        self._of: Final[dict[NetlinkSock, Track]] = {}
        self._waiting: Final[dict[NetlinkSock, Rest]] = {}
        self.unmatched: Final[list[Unmatched]] = []
        self.played = 0
        for protocol in sorted(self.protocols):
            self._install(protocol)

    def _track(self, number: int, stream: Stream) -> Track:
        requests = {
            index: blanked(event.data, self._order, self._ignore, stream.protocol)
            for index, event in enumerate(stream.events)
            if isinstance(event, Request)
        }
        portids = [event.portid for event in stream.events if isinstance(event, Bound)]
        return Track(number, stream, following(stream, self._order), portids, requests)

    def _install(self, protocol: int) -> None:
        """Take the place of what the kernel has for the protocol, or come before it."""
        table = self._kernel.take(protocol)
        behind = table.input if protocol == NETLINK_GENERIC else None

        def take(skb: SkBuff) -> None:
            self._input(skb, behind)

        self._kernel.tables[protocol] = replace(table, input=take, joined=self._joined)

    # --- requests

    def _input(self, skb: SkBuff, behind: Callable[[SkBuff], None] | None) -> None:
        sk = skb.sk
        assert sk is not None
        key = blanked(skb.data, self._order, self._ignore, sk.protocol)
        found = self._find(sk, key)
        if found is not None:
            self._play(sk, skb, *found)
        elif self._live is not None:
            self._answer(sk, skb, skb.data, self._live.ask(sk, skb.data), None)
        elif behind is not None and self._known_there(skb.data):
            behind(skb)
        else:
            self._refuse(sk, skb, key)

    def _answer(
        self,
        sk: NetlinkSock,
        skb: SkBuff,
        recorded: bytes,
        events: Sequence[Event],
        rewriter: Rewriter | None,
    ) -> None:
        """Deliver the recorded answers of each request, unless a fault makes it fail.

        Raises NetlinkError if the recorded send failed.
        """
        trace = self._kernel.trace
        asked = False
        for request, own in by_request(skb, recorded, events, self._order):
            asked = True
            err = self._fault(request)
            if not err:
                for event in own:
                    self._give(sk, event, rewriter)
            if trace is not None:
                trace.request_done(request, err or errno_of(own, self._order))
        for event in () if asked else events:
            self._give(sk, event, rewriter)

    def _fault(self, request: NetlinkRequest) -> int:
        """The errno of a fault for the request, which the client gets; or 0."""
        injector = self._kernel.injector
        if injector is not None:
            try:
                injector.request(request)
            except NetlinkError as error:
                netlink_ack(request, error.errno)
                return error.errno
        return 0

    def _known_there(self, data: bytes) -> bool:
        """Whether the request is for an emulated family that is not on the cassette."""
        families = self._kernel.genl.families
        recorded = {family.id for family in self.cassette.head.families.values()}
        kinds = {header.nlmsg_type for _, header in messages(data, self._order)}
        return bool(kinds) and all(kind in families and kind not in recorded for kind in kinds)

    def _find(self, sk: NetlinkSock, key: bytes) -> tuple[Track, int] | None:
        own = self._of.get(sk)
        if own is not None:
            for start in (own.at, 0):
                index = own.equal(key, start)
                if index is not None:
                    return own, index
        for track in self._candidates(sk):
            index = track.equal(key)
            if index is not None:
                return track, index
        if self.repeat:
            for track in [*([own] if own is not None else []), *self._candidates(sk)]:
                again = track.equal_again(key)
                if again is not None:
                    return track, again
        return None

    def _candidates(self, sk: NetlinkSock) -> list[Track]:
        """The streams of the protocol, those without a socket first."""
        same = [track for track in self._tracks if track.stream.protocol == sk.protocol]
        return sorted(same, key=lambda track: track.taken)

    def _play(self, sk: NetlinkSock, skb: SkBuff, track: Track, index: int) -> None:
        """Answer as recorded; raises NetlinkError if the recorded send failed."""
        if sk not in self._of:
            self._take(sk, track)
        track.used[index] = track.used.get(index, 0) + 1
        track.at = index + 1
        self.played += 1
        request = track.stream.events[index]
        assert isinstance(request, Request)
        rewriter = self._rewriter(sk, track)
        rewriter.learn(request.data, skb.data)
        if self._note is not None:
            number = [*track.blanked].index(index) + 1
            self._note(f"played request {number} of socket {track.number + 1}")
        self._answer(sk, skb, request.data, track.following[index], rewriter)

    def _give(self, sk: NetlinkSock, event: Event, rewriter: Rewriter | None) -> None:
        """Deliver what came of a request; raises NetlinkError if the recorded send failed."""
        if isinstance(event, Failed) and event.call.startswith("send"):
            raise NetlinkError(event.errno)
        self.deliver(sk, event, rewriter)

    def _take(self, sk: NetlinkSock, track: Track) -> None:
        self._of[sk] = track
        track.taken = True

    def _rewriter(self, sk: NetlinkSock, track: Track) -> Rewriter:
        """Maps the stream's numbers to the socket's: its portid for the recorded one."""
        if track.rewriter is None:
            track.rewriter = Rewriter(self._order, {}, {})
        track.rewriter.portids |= dict.fromkeys(track.portids, sk.portid)
        return track.rewriter

    def deliver(self, sk: NetlinkSock, event: Event, rewriter: Rewriter | None = None) -> None:
        """Deliver a message to a socket, with its own numbers if there is a ``rewriter``."""
        if isinstance(event, Answer):
            data = event.data if rewriter is None else rewriter.rewrite(event.data)
            if event.group and self.held is not None and rewriter is not None:
                self.held.add(sk, event, data, self._kernel.machine.clock.monotonic_ns())
            else:
                self._arrive(sk, event, data)
        elif isinstance(event, Failed) and event.call.startswith(("recv", "read")):
            self._arrive(sk, event)

    def _arrive(self, sk: NetlinkSock, event: Answer | Failed, data: bytes = b"") -> None:
        rest = self._waiting.get(sk)
        if rest is None or sk.dump is not rest:
            rest = self._waiting[sk] = Rest(sk.kernel.skb.goodsize)
        rest.add(event, data)
        rest.go_on(sk)

    def _refuse(self, sk: NetlinkSock, skb: SkBuff, key: bytes) -> None:
        said = self._nearest(sk.protocol, skb.data, key)
        self.unmatched.append(Unmatched(sk, skb.data, said))

        def handle(_request: NetlinkRequest) -> None:
            raise NetlinkError(EOPNOTSUPP, said)

        netlink_rcv_skb(skb, self._order, handle)

    def _nearest(self, protocol: int, data: bytes, key: bytes) -> str:
        tracks = [track for track in self._tracks if track.stream.protocol == protocol]
        places = [(track, index) for track in tracks for index in track.blanked]
        found = nearest(key, [track.blanked[index] for track, index in places])
        if found is None:
            return "no request of this type is on the cassette"
        track, index = places[found]
        event = track.stream.events[index]
        assert isinstance(event, Request)
        where = f"request {[*track.blanked].index(index) + 1} of socket {track.number + 1}"
        if track.blanked[index] == key:
            return f"{where} is equal, but was used already: repeat it with --repeat"
        difference = self._fields.difference(protocol, event.data, data)
        return f"not on the cassette; nearest is {where}: {difference}"

    # --- what comes by itself

    def _joined(self, sk: NetlinkSock) -> None:
        """A socket has joined groups: deliver multicast messages recorded before any request."""
        if sk in self._of:
            return
        for track in self._candidates(sk):
            if not track.taken and track.first is None and track.stream.events:
                self._take(sk, track)
                for event in track.stream.events:
                    self.deliver(sk, event, self._rewriter(sk, track))
                return

    # --- at the end

    @property
    def position(self) -> str:
        """How far the cassette was played, in words."""
        count = sum(len(track.blanked) for track in self._tracks)
        left = self.unused
        if not left:
            return f"all of {count} requests were played"
        first = left[0]
        where = f"request {first.index} of socket {first.stream}{first.title}"
        return f"{count - len(left)} of {count} requests were played; next is {where}"

    def next_of(self, sk: NetlinkSock) -> str:
        """What comes next on the socket's stream."""
        track = self._of.get(sk)
        if track is None:
            return "it has made no request"
        left = [index for index in track.blanked if index not in track.used]
        if not left:
            return f"all of socket {track.number + 1} was played"
        event = track.stream.events[left[0]]
        assert isinstance(event, Request)
        number = [*track.blanked].index(left[0]) + 1
        title = event.text.partition("\n")[0]
        return f"next is request {number} of socket {track.number + 1}{title and f': {title}'}"

    @property
    def unused(self) -> list[Unused]:
        """The recorded requests that no client has made."""
        return [
            Unused(track.number + 1, number + 1, event)
            for track in self._tracks
            for number, index in enumerate(track.blanked)
            for event in (track.stream.events[index],)
            if index not in track.used and isinstance(event, Request)
        ]
