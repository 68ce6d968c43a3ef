"""Marks of a log: where two logs begin to differ, by the slow way and by the marks of one of them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audit import marks

logs = st.lists(st.sampled_from([hashlib.sha256(bytes([n])).digest() for n in range(3)]), min_size=1, max_size=40)


@pytest.mark.parametrize("most", [1, 4, 8, 64])
@given(signed=logs, there=logs)
def test_the_first_line_that_differs_is_in_the_range(most, signed, there):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "_MAX_MARKS", most)
        text = marks.marks_of(signed)
        first, last = marks.first_difference(text, there, len(signed))
    assert len(text) <= most * 8
    pairs = zip(signed, there, strict=False)
    common = min(len(signed), len(there))
    differs = next((n for n, (one, other) in enumerate(pairs, 1) if one != other), common + 1)
    if differs <= len(signed):
        assert first <= differs <= last
        assert last - first < max(2 * len(signed) / most, 1)
    if most >= len(signed):
        assert first == last or differs > len(signed)


@pytest.mark.parametrize(("size", "group"), [(1, 1), (1 << 17, 1), ((1 << 17) + 1, 2), (10**6, 8), (10**8, 1024)])
def test_lines_on_one_mark(size, group):
    assert marks._group_size(size) == group


@pytest.mark.parametrize("text", ["", "AAAA", "no base64", "é"])
def test_marks_that_are_none_name_the_whole_log(text):
    assert marks.first_difference(text, [bytes(32)] * 3, 5) == (1, 5)
