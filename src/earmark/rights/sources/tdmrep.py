"""TDMRep: a site's `tdmrep.json`, in which it reserves text and data mining.

After "TDM Reservation Protocol (TDMRep)", final report of the W3C community group, 2 February 2024, section 6.1.
"""

from collections.abc import Iterator

from earmark.errors import RegistryError
from earmark.rights.reservations import RESERVED_SCOPES
from earmark.rights.rows import BadCell
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.sources.repertoire import make_reservation, read_json

__all__ = ["is_tdmrep", "read_tdmrep"]

_RESERVED, _NOT_RESERVED = 1, 0


def is_tdmrep(value: object) -> bool:
    """Say whether a JSON value is a list of TDMRep rules."""
    return isinstance(value, list) and any(isinstance(rule, dict) and "tdm-reservation" in rule for rule in value)


def read_tdmrep(incoming: Incoming) -> Iterator[Statement]:
    """Yield the reservations of a `tdmrep.json`.

    A rule with a policy gives a `constrained` reservation, for a policy says on which terms mining can be had; one
    without gives `not_allowed`. A rule that reserves nothing is no grant.

    Parameters
    ----------
    incoming : Incoming
        A JSON list of objects with `location`, `tdm-reservation` (0 or 1) and, where wanted, `tdm-policy`. The file
        says nothing of recordings: its `repertoire` must be given.

    Yields
    ------
    Statement
        A reservation for each rule that reserves.

    Raises
    ------
    RegistryError
        If it is no such file, or nobody says what it is about.
    """
    rules = read_json(incoming)
    if not is_tdmrep(rules):
        raise RegistryError(f"{incoming.path} is no tdmrep.json; expected a list of rules with tdm-reservation")
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict) or not isinstance(rule.get("location"), str) or not rule["location"].strip():
            yield BadCell(
                line=0, column="location", complaint=f"rule {number} names no location; expected a path pattern"
            )
            continue
        reserved, policy = rule.get("tdm-reservation"), rule.get("tdm-policy")
        if isinstance(reserved, bool) or reserved not in {_RESERVED, _NOT_RESERVED}:
            complaint = f"rule {number}: {reserved!r:.40} is neither 0 nor 1"
            yield BadCell(line=0, column="tdm-reservation", complaint=complaint)
        elif policy is not None and not isinstance(policy, str):
            yield BadCell(line=0, column="tdm-policy", complaint=f"rule {number}: {policy!r:.40} is no URL")
        elif reserved == _NOT_RESERVED:
            yield Notice(words=f"rule {number} reserves nothing at {rule['location']}, which is no grant: left out")
        else:
            yield make_reservation(
                incoming,
                "tdmrep",
                scopes=RESERVED_SCOPES,
                permission="constrained" if policy else "not_allowed",
                url=policy or None,
                text=f"tdm-reservation 1 at {' '.join(rule['location'].split())}",
            )
