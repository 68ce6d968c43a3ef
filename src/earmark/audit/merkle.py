"""Merkle trees as in RFC 6962 section 2.1, SHA-256: roots, inclusion proofs and consistency proofs.

The proofs are checked with the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2, which is the later text about the
same trees.
"""

import hashlib
from collections.abc import Iterable, Sequence

from earmark.errors import ParameterError

__all__ = [
    "HASH_BYTES",
    "Tree",
    "consistency_path",
    "inclusion_path",
    "is_consistent",
    "is_included",
    "leaf_hash",
    "root_of",
]

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf; no inner node has the same, whatever the data.

    Examples
    --------
    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\0" + data).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf, in memory that grows with the log of their number.

    Attributes
    ----------
    size
        Number of leaves.
    """

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []  # roots of the full subtrees, one for each bit set in size, the largest first

    def add(self, leaf: bytes) -> None:
        """Add a leaf, given as its `leaf_hash`."""
        node, size = leaf, self.size
        while size & 1:
            node = _node_hash(self._full.pop(), node)
            size >>= 1
        self._full.append(node)
        self.size += 1

    @property
    def root(self) -> bytes:
        """Root of the leaves so far; of none, the hash of nothing."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        node = self._full[-1]
        for left in reversed(self._full[:-1]):
            node = _node_hash(left, node)
        return node


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree, its leaves given as hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root


def _split(size: int) -> int:
    """Return the largest power of two below size [size > 1]."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return what proves that a leaf is in a tree: the hashes beside its way up, from the leaf to the root.

    Parameters
    ----------
    leaves
        Hashes of all leaves.
    index
        Which one [0 <= index < len(leaves)].

    Raises
    ------
    ParameterError
        If there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ParameterError(f"index must be from 0 to {len(leaves) - 1}, got {index}")
    path = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(root_of(leaves[middle:end]))
            end = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start = middle
    return path[::-1]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether a path proves that a leaf is at an index of the tree of a size and a root.

    Parameters
    ----------
    leaf
        Its hash.
    index, size
        Where it is, of how many leaves.
    path
        Of `inclusion_path`.
    root
        Of the tree.
    """
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node_hash(beside, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node_hash(node, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def consistency_path(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return what proves that a tree goes on from an earlier one of which it keeps every leaf.

    Parameters
    ----------
    leaves
        Hashes of all leaves.
    old_size
        How many there were [1 <= old_size <= len(leaves)].

    Raises
    ------
    ParameterError
        If there never were as many.
    """
    if not 1 <= old_size <= len(leaves):
        raise ParameterError(f"old_size must be from 1 to {len(leaves)}, got {old_size}")
    path = []
    start, end, whole = 0, len(leaves), True
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(root_of(leaves[middle:end]))
            end = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start, whole = middle, False
    if not whole:
        path.append(root_of(leaves[start:end]))
    return path[::-1]


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Return whether a path proves that a tree keeps every leaf of an earlier one.

    Parameters
    ----------
    old_size, old_root
        Of the earlier tree.
    size, root
        Of the tree.
    path
        Of `consistency_path`.
    """
    if not 1 <= old_size <= size:
        return False
    if old_size == size:
        return not path and old_root == root
    hashes = list(path)
    if old_size & (old_size - 1) == 0:  # the earlier tree is a subtree: its root is not in the path
        hashes.insert(0, old_root)
    if not hashes:
        return False
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_node = node = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_node, node = _node_hash(beside, old_node), _node_hash(beside, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node_hash(node, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and old_node == old_root and node == root
