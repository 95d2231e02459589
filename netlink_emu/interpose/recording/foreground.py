"""A command in the foreground whose netlink sockets are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netlink_emu.interpose.foreground import Answering, Finished, Foreground
from netlink_emu.interpose.summary import Summary

if TYPE_CHECKING:
    from netlink_emu.cassettes.recording.recording import Recording
    from netlink_emu.interpose.errands import Errands
    from netlink_emu.interpose.launch import Launched
    from netlink_emu.interpose.recording.recorder import Recorder


class RecordedForeground(Foreground):
    """One command, of which ``recording`` learns; see Foreground.

    ``save`` is called with the command's exit code when all have ended, before signals can end
    us. If it fails, that is ``failure``.
    """

    def __init__(
        self,
        recording: Recording,
        command: Sequence[str],
        protocols: frozenset[int],
        save: Callable[[int], None] = lambda _exit_code: None,
    ) -> None:
        super().__init__(None, command)
        self.failure: Exception | None = None
        self._save = save
        self._recording = recording
        self._protocols = protocols
        self._recorder: Recorder | None = None

    def _answering(self, launched: Launched[int], errands: Errands, signals: int) -> Answering:
        from netlink_emu.interpose.recording.recorder import Recorder

        self._recorder = Recorder(
            self._recording,
            launched.listener,
            high=self._high,
            protocols=self._protocols,
            pending=launched.pending,
            errands=errands,
        )
        return Answering(self._recorder)

    def _ended(self) -> None:
        try:
            assert self._wait_status is not None
            self._save(Finished(self._wait_status, Summary()).exit_code)
        except Exception as exc:  # not what became of the command, which the caller tells
            self.failure = exc

    @property
    def unseen(self) -> int:
        """How many sockets could not be recorded."""
        return 0 if self._recorder is None else self._recorder.unseen
