"""C structs by name: of attributes, and of headers before the attributes.

Members follow each other without a gap; where C leaves one, it is a member of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..format import ByteOrder
from .enumeration import Enumeration, unknown_name
from .hints import shown, unshown

NUMBERS: Final[Mapping[str, int]] = {
    "u8": 1, "u16": 2, "u32": 4, "u64": 8, "s8": 1, "s16": 2, "s32": 4, "s64": 8,
}  # fmt: skip
_BLOCKS: Final = ("string", "binary", "pad", "struct")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: a number ("u8" to "s64"), or a "struct".

    Or "string", "binary" and "pad" of ``len`` bytes. ``byte_order`` None is the machine's own.
    """

    name: str
    type: str
    len: int = 0
    byte_order: ByteOrder | None = None
    enum: Enumeration | None = None
    enum_as_flags: bool = False
    display_hint: str = ""
    struct: Struct | None = None
    doc: str = ""

    def __post_init__(self) -> None:
        if self.type not in NUMBERS and self.type not in _BLOCKS:
            raise unknown_name("type of a member", self.type, [*NUMBERS, *_BLOCKS])
        if (self.struct is None) == (self.type == "struct"):
            raise ValueError(f"{self.name}: a struct is of type struct, and nothing else is")
        if self.len < 0 or (self.len == 0 and self.type in ("string", "binary", "pad")):
            raise ValueError(f"{self.name}: a {self.type} has a length")

    @property
    def size(self) -> int:
        """Bytes."""
        if self.struct is not None:
            return self.struct.size
        return NUMBERS.get(self.type, self.len)

    def read(self, payload: bytes, order: ByteOrder) -> Any:
        """The value of the member's bytes."""
        if self.struct is not None:
            return self.struct.decode(payload, order)
        if self.type == "string":
            try:
                return payload.partition(b"\0")[0].decode()
            except UnicodeDecodeError:
                return payload
        if self.display_hint and (text := shown(payload, self.display_hint)) is not None:
            return text
        if self.type not in NUMBERS:
            return payload
        name = (self.byte_order or order).name
        number = int.from_bytes(payload, name, signed=self.type.startswith("s"))
        if self.enum is not None:
            return self.enum.read(number, as_flags=self.enum_as_flags)
        return number

    def write(self, value: Any, order: ByteOrder) -> bytes:
        """The bytes of a value; raises ValueError for one that does not fit."""
        if self.struct is not None and isinstance(value, Mapping):
            return self.struct.encode(value, order)
        if isinstance(value, str) and self.display_hint:
            value = unshown(value, self.display_hint)
        elif isinstance(value, str) and self.type == "string":
            value = value.encode()
        if isinstance(value, bytes):
            if len(value) > self.size or (self.type in NUMBERS and len(value) != self.size):
                raise ValueError(f"{self.name} is {self.size} bytes, not {len(value)}")
            return value.ljust(self.size, b"\0")
        if self.enum is not None:
            value = self.enum.number(value, as_flags=self.enum_as_flags)
        if self.type not in NUMBERS or not isinstance(value, int):
            raise ValueError(f"{self.name} is a {self.type}, not {value!r}")
        try:
            name = (self.byte_order or order).name
            return value.to_bytes(self.size, name, signed=self.type.startswith("s"))
        except OverflowError:
            raise ValueError(f"{self.name}: {value} does not fit a {self.type}") from None


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct: values of its members by name. Pads are neither asked for nor given."""

    name: str
    members: tuple[Member, ...]
    doc: str = ""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        names = [member.name for member in self.members if member.type != "pad"]
        if len(set(names)) != len(names):
            raise ValueError(f"struct {self.name} has two members of one name")
        object.__setattr__(self, "size", sum(member.size for member in self.members))

    def decode(self, payload: bytes, order: ByteOrder) -> dict[str, Any]:
        """The members that ``payload`` has whole; a shorter one has fewer."""
        values: dict[str, Any] = {}
        at = 0
        for member in self.members:
            if at + member.size > len(payload):
                break
            if member.type != "pad":
                values[member.name] = member.read(payload[at : at + member.size], order)
            at += member.size
        return values

    def encode(self, values: Mapping[str, Any], order: ByteOrder) -> bytes:
        """The struct; members that are not given are zero. Raises ValueError for unknown ones."""
        known = {member.name for member in self.members if member.type != "pad"}
        for name in values:
            if name not in known:
                raise unknown_name(f"member of struct {self.name}", name, known)
        return b"".join(
            member.write(values[member.name], order)
            if member.type != "pad" and member.name in values
            else bytes(member.size)
            for member in self.members
        )
