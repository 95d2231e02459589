"""A family by its names: what its messages are made of, and values by name to bytes and back.

A family that is declared in Python and one that is read from the kernel's YAML specs are both
made of these: :class:`AttributeSet`, :class:`Attribute`, :class:`Struct`, :class:`Enumeration`,
:class:`Operation`, :class:`McastGroup`, together a :class:`FamilyDeclaration`. Names are spelled
as the specs spell them ("rx-bytes").
"""

from .attributes import Attribute, AttributeSet, AttrType, SubMessage, SubMessageFormat
from .enumeration import Enumeration
from .operations import Exchange, FamilyDeclaration, McastGroup, Operation
from .reader import decode, read_value
from .structs import Member, Struct
from .writer import encode

__all__ = [
    "AttrType",
    "Attribute",
    "AttributeSet",
    "Enumeration",
    "Exchange",
    "FamilyDeclaration",
    "McastGroup",
    "Member",
    "Operation",
    "Struct",
    "SubMessage",
    "SubMessageFormat",
    "decode",
    "encode",
    "read_value",
]
