"""Earmark finds a label's recordings inside audio datasets and says whether a license covers each one."""

__version__ = "0.1.0.dev0"
