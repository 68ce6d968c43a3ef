"""Catalogs without audio, from one party to another: packs, signed and encrypted."""

from earmark.exchange.packing import PackReport, pack
from earmark.exchange.sealing import make_identity, read_identities, read_recipients
from earmark.exchange.states import read_any_state
from earmark.exchange.unpacking import UnpackReport, check, unpack

__all__ = [
    "PackReport",
    "UnpackReport",
    "check",
    "make_identity",
    "pack",
    "read_any_state",
    "read_identities",
    "read_recipients",
    "unpack",
]
