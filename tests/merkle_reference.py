"""RFC 6962 section 2.1, written down as it stands there: slow, recursive, and of nothing of ours."""

import hashlib


def mth(d):
    """Merkle Tree Hash of a list of entries."""
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = largest_power_below(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m, d):
    """Audit path of entry m."""
    if len(d) == 1:
        return []
    k = largest_power_below(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def proof(m, d):
    """Consistency proof of the first m entries."""
    return subproof(m, d, True)


def subproof(m, d, b):
    if m == len(d):
        return [] if b else [mth(d)]
    k = largest_power_below(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def largest_power_below(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k
