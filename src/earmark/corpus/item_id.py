"""Item ids: text for every path, and back."""

import re

from earmark.errors import ParameterError

__all__ = ["decode_item_id", "encode_item_id"]

# Bytes of a name that are no UTF-8 come from the file system as lone surrogates U+DC80-U+DCFF (PEP 383).
_TO_ESCAPE = re.compile("[%\udc80-\udcff]")
_ESCAPED = re.compile("%([0-9A-F]{2})?")


def encode_item_id(relative_path: str) -> str:
    r"""Turn a path into an item id: bytes that are no UTF-8 become %XX, and % becomes %25.

    All else stays as it is, newlines and quotes too.

    Parameters
    ----------
    relative_path
        POSIX path relative to the corpus root, as `os.fsdecode` gives it.

    Returns
    -------
    str
        The id, valid Unicode.

    Examples
    --------
    >>> encode_item_id("a/100% \udcff.mp3")
    'a/100%25 %FF.mp3'
    """
    return _TO_ESCAPE.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", relative_path)


def decode_item_id(item_id: str) -> str:
    r"""Turn an item id into the path it was made from.

    Parameters
    ----------
    item_id
        As `encode_item_id` gives it.

    Returns
    -------
    str
        POSIX path relative to the corpus root, for `os.fsencode`.

    Raises
    ------
    ParameterError
        If a % is not followed by two hexadecimal capitals, or by ones that need no escape.

    Examples
    --------
    >>> decode_item_id("a/100%25 %FF.mp3") == "a/100% \udcff.mp3"
    True
    """

    def plain(found: re.Match[str]) -> str:
        byte = int(found[1] or "0", 16)
        if byte != ord("%") and byte < 0x80:
            raise ParameterError(f"item id {item_id!r}: expected %25 or %80 to %FF, got {found[0]!r}")
        return "%" if byte == ord("%") else chr(0xDC00 | byte)

    return _ESCAPED.sub(plain, item_id)
