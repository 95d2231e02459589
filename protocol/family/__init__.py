"""A family by names: the structure of its messages, and a codec between values by name and bytes.

A :class:`FamilyDeclaration` consists of :class:`AttributeSet`, :class:`Attribute`,
:class:`Struct`, :class:`Enumeration`, :class:`Operation` and :class:`McastGroup`, whether it is
declared in Python or read from the kernel's YAML specs. Names are spelled as in the specs
("rx-bytes").
"""

from .attributes import Attribute, AttributeSet, AttrType, SubMessage, SubMessageFormat
from .enumeration import Enumeration
from .operations import Exchange, FamilyDeclaration, McastGroup, Operation
from .padding import pad_64bit
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
    "pad_64bit",
    "read_value",
]
