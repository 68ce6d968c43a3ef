"""Merkle trees against the text of RFC 6962, and proofs that do not hold for anything else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audit.merkle import (
    Tree,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)
from earmark.errors import ParameterError

from . import merkle_reference as reference

# The eight entries and roots that implementations of Certificate Transparency are tested with.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
entries = st.lists(st.sampled_from([b"", b"a", b"b", b"\0"]), min_size=1, max_size=40)


def leaves(of):
    return [leaf_hash(entry) for entry in of]


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size):
    assert root_of(leaves(ENTRIES[:size])).hex() == ROOTS[size]
    assert reference.mth(ENTRIES[:size]).hex() == ROOTS[size]


@given(entries)
@settings(deadline=None)
def test_a_tree_that_grows_has_the_roots_of_the_rfc(given_entries):
    tree = Tree()
    for size, entry in enumerate(given_entries, 1):
        tree.add(leaf_hash(entry))
        assert (tree.size, tree.root) == (size, reference.mth(given_entries[:size]))


@given(entries, st.data())
@settings(deadline=None)
def test_inclusion(given_entries, data):
    index = data.draw(st.integers(0, len(given_entries) - 1))
    path = inclusion_path(leaves(given_entries), index)
    assert path == reference.path(index, given_entries)
    root, size = reference.mth(given_entries), len(given_entries)
    leaf = leaf_hash(given_entries[index])
    assert is_included(leaf, index, size, path, root)
    assert not is_included(leaf_hash(b"other"), index, size, path, root)
    assert not is_included(leaf, index, size, [*path, root], root)
    assert not is_included(leaf, index, size, path, bytes(32))
    for at in range(len(path)):
        assert not is_included(leaf, index, size, [*path[:at], bytes(32), *path[at + 1 :]], root)
        assert not is_included(leaf, index, size, [*path[:at], *path[at + 1 :]], root)


@given(entries, st.data())
@settings(deadline=None)
def test_consistency(given_entries, data):
    size = len(given_entries)
    old_size = data.draw(st.integers(1, size))
    path = consistency_path(leaves(given_entries), old_size)
    assert path == reference.proof(old_size, given_entries)
    old_root, root = reference.mth(given_entries[:old_size]), reference.mth(given_entries)
    assert is_consistent(old_size, old_root, size, root, path)
    assert not is_consistent(old_size, bytes(32), size, root, path)
    assert not is_consistent(old_size, old_root, size, bytes(32), path)
    assert not is_consistent(old_size, old_root, size, root, [*path, root])
    for at in range(len(path)):
        assert not is_consistent(old_size, old_root, size, root, [*path[:at], bytes(32), *path[at + 1 :]])
        assert not is_consistent(old_size, old_root, size, root, [*path[:at], *path[at + 1 :]])


@given(st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=12), st.data())
@settings(deadline=None)
def test_a_changed_start_is_not_consistent(given_entries, data):
    old_size = data.draw(st.integers(1, len(given_entries)))
    at = data.draw(st.integers(0, old_size - 1))
    changed = [*given_entries[:at], b"c", *given_entries[at + 1 :]]
    path = consistency_path(leaves(changed), old_size)
    assert not is_consistent(
        old_size, reference.mth(given_entries[:old_size]), len(changed), reference.mth(changed), path
    )


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_what_is_not_there_has_no_path(index, size):
    with pytest.raises(ParameterError, match="index must be"):
        inclusion_path(leaves(ENTRIES[:size]), index)
    assert not is_included(leaf_hash(b""), index, size, [], root_of([]))


@pytest.mark.parametrize("old_size", [0, 4])
def test_there_is_no_consistency_with_what_never_was(old_size):
    with pytest.raises(ParameterError, match="old_size must be"):
        consistency_path(leaves(ENTRIES[:3]), old_size)
    assert not is_consistent(old_size, root_of([]), 3, root_of(leaves(ENTRIES[:3])), [])
