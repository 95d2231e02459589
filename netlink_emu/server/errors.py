"""What a user can mend about a server's socket.

ServerError
├── PathTooLong      sun_path takes 107 bytes
├── NoDirectory      the directory is missing, and so is the one above it
├── UnsafeDirectory  others could enter the directory or replace it, or it is not ours
├── NotASocket       something else has the name
└── AlreadyServed    another server answers there
"""

from __future__ import annotations


class ServerError(Exception):
    """A server cannot be started; the message is one sentence without a full stop."""


class PathTooLong(ServerError):
    """The path does not fit struct sockaddr_un."""


class NoDirectory(ServerError):
    """There is no place for the socket."""


class UnsafeDirectory(ServerError):
    """Whoever may enter the directory may talk to the kernel as its root."""


class NotASocket(ServerError):
    """A file that we did not make is in the way."""


class AlreadyServed(ServerError):
    """A live socket is in the way."""
