"""Apportioning: a whole shared out in indivisible parts, such that the parts sum to the whole."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from earmark.errors import ParameterError

__all__ = ["apportion", "minor_digits", "parse_pool"]

# ISO 4217, list one: currencies whose minor unit is not a hundredth.
_MINOR_DIGITS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"], 0),
    **dict.fromkeys(["VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


def apportion(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Share out a whole number in proportion to weights, by the method of the largest remainder (Hamilton's).

    Each part is first rounded down; what is left goes, one by one, to the parts that lost the most, of equal ones to
    the earlier.

    Parameters
    ----------
    total
        What to share out [>= 0].
    weights
        One for each part [each >= 0; not all 0, unless total is 0].

    Returns
    -------
    list of int
        The parts; they sum to the total, and each is less than 1 from its exact share.

    Raises
    ------
    ParameterError
        If total or a weight is negative, or there is nobody to give to.

    Examples
    --------
    >>> apportion(100, [1, 1, 1])
    [34, 33, 33]
    >>> apportion(10, [Fraction(1, 3), 0, Fraction(2, 3)])
    [3, 0, 7]
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ParameterError(f"total and weights must not be negative, got {total} and {list(weights)[:5]}")
    whole = sum(weights, Fraction(0))
    if not whole:
        if total:
            raise ParameterError(f"there is nobody to share {total} out to: all weights are 0")
        return [0] * len(weights)
    exact = [total * Fraction(weight) / whole for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    left = total - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], at))
    for at in by_remainder[:left]:
        parts[at] += 1
    return parts


def minor_digits(currency: str) -> int:
    """Return how many digits after the point amounts of a currency have (ISO 4217).

    Raises
    ------
    ParameterError
        If it is no code of three capital letters.

    Examples
    --------
    >>> minor_digits("EUR"), minor_digits("JPY")
    (2, 0)
    """
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        raise ParameterError(f"currency must be a code of ISO 4217 such as EUR, got {currency!r}")
    return _MINOR_DIGITS.get(currency, 2)


def parse_pool(pool: Decimal, currency: str) -> int:
    """Return an amount of money in its smallest unit, such as cents.

    Raises
    ------
    ParameterError
        If it is negative, no number, or has more digits than the currency.

    Examples
    --------
    >>> parse_pool(Decimal("10000.50"), "EUR")
    1000050
    """
    if not pool.is_finite() or pool < 0:
        raise ParameterError(f"pool must be an amount of 0 or more, got {pool}")
    units = Fraction(pool.scaleb(minor_digits(currency)))
    if units.denominator != 1:
        raise ParameterError(f"pool must have at most {minor_digits(currency)} digits after the point, got {pool}")
    return units.numerator
