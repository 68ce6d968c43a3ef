"""Text that is safe and pleasant to print."""

__all__ = ["counted", "displayed"]


def counted(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "track"), counted(1200, "track")
    ('1 track', '1,200 tracks')
    """
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def displayed(text: str) -> str:
    r"""Return text with everything escaped that is not to be seen, so that it can neither break a line nor a terminal.

    Examples
    --------
    >>> displayed("a\nb\x1b[31m"), displayed("caf\u00e9 \u202egpj.exe")
    ('a\\nb\\x1b[31m', 'café \\u202egpj.exe')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
