"""What every test leaves as it was."""

import logging

import pytest


@pytest.fixture(autouse=True)
def logging_as_before():
    """A command that runs in this process sets logging up for itself."""
    ours = logging.getLogger("earmark")
    before = ours.handlers, ours.propagate, ours.level
    yield
    ours.handlers, ours.propagate = before[:2]
    ours.setLevel(before[2])
