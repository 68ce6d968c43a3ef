"""ODRL: policies in JSON-LD that forbid mining and training, or allow them on conditions.

After the W3C recommendations "ODRL Information Model 2.2" and "ODRL Vocabulary & Expression 2.2", 15 February 2018, and
the TDM policy profile of "TDM Reservation Protocol (TDMRep)", section 7. Names are taken as they stand or with the
prefixes of those documents; no context is fetched.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from earmark.errors import RegistryError
from earmark.rights.grants import SCOPES, Scope
from earmark.rights.reservations import RESERVED_SCOPES, Reservation
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.sources.repertoire import make_reservation, read_json
from earmark.rights.use_types import meaning_of

__all__ = ["is_odrl", "read_odrl"]

_PREFIXES: Final = ("http://www.w3.org/ns/odrl/2/", "http://www.w3.org/ns/tdmrep#", "odrl:", "tdm:")

# ODRL's own actions that hold mining or training: `use` is any use; the others are steps without which there is none.
_ACTIONS: Final[dict[str, tuple[Scope, ...]]] = {
    "mine": RESERVED_SCOPES,
    "use": SCOPES,
    "reproduce": RESERVED_SCOPES,
    "extract": RESERVED_SCOPES,
}
_MAX_WORDS: Final = 500


def is_odrl(value: object) -> bool:
    """Say whether a JSON value is an ODRL policy, or a list or graph of some."""
    return any(_policies(value))


def read_odrl(incoming: Incoming) -> Iterator[Statement]:
    """Yield the reservations of an ODRL policy.

    A prohibition gives a `not_allowed` reservation, a permission with duties or constraints a `constrained` one that
    says them. A permission without is no grant, for a policy on the web names no contract.

    Parameters
    ----------
    incoming : Incoming
        JSON-LD: a policy with `permission` and `prohibition`. Of actions count `tdm:mine`, `use`, `reproduce`,
        `extract`, and those that `use_types` gives a meaning. Where no repertoire is given, a policy is about the music
        of its assigner, by name.

    Yields
    ------
    Statement
        Reservations, and notices of what is left out.

    Raises
    ------
    RegistryError
        If it is no such policy, or nobody says what it is about.
    """
    policies = list(_policies(read_json(incoming)))
    if not policies:
        raise RegistryError(f"{incoming.path} is no ODRL policy; expected JSON-LD with permission or prohibition")
    for policy in policies:
        for key in ("prohibition", "permission"):
            for rule in _list(policy.get(key, policy.get(f"odrl:{key}"))):
                if isinstance(rule, dict):
                    yield from _read_rule(rule, policy, key, incoming)


def _read_rule(rule: Mapping[str, Any], policy: Mapping[str, Any], key: str, incoming: Incoming) -> Iterator[Statement]:
    actions = [_name(action) for action in _list(_get(rule, "action"))]
    scopes = {scope for action in actions for scope in _scopes_of(action, incoming)}
    named = ", ".join(actions) or "nothing"
    if not scopes:
        yield Notice(words=f"{key} of {named}: no AI use that is known, left out")
        return
    terms = {name: _get(rule, name) for name in ("duty", "constraint") if _get(rule, name)}
    if key == "permission" and not terms:
        yield Notice(words=f"permission of {named} without duties: a declaration to all is no grant, left out")
        return
    yield _reservation(rule, policy, incoming, scopes=scopes, named=named, terms=terms, forbids=key == "prohibition")


def _reservation(
    rule: Mapping[str, Any],
    policy: Mapping[str, Any],
    incoming: Incoming,
    *,
    scopes: set[Scope],
    named: str,
    terms: Mapping[str, Any],
    forbids: bool,
) -> Reservation:
    words = f"{'prohibits' if forbids else 'permits under terms'} {named}"
    if terms:
        words += f": {json.dumps(terms, ensure_ascii=False, sort_keys=True)}"[:_MAX_WORDS]
    uid = _text(_get(policy, "uid")) or _text(policy.get("@id"))
    assigner = _assigner(_get(rule, "assigner") or _get(policy, "assigner"))
    return make_reservation(
        incoming,
        "odrl",
        scopes=scopes,
        # A prohibition under constraints leaves something free, and what that is must be looked at.
        permission="not_allowed" if forbids and "constraint" not in terms else "constrained",
        url=uid,
        text=words,
        repertoire={"rightsholder": assigner} if assigner else None,
    )


def _policies(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the policies in a document: the object itself, those of its list, or of its graph."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield from _policies(each)
    elif isinstance(value, dict):
        if any(_get(value, key) for key in ("permission", "prohibition")):
            yield value
        elif isinstance(value.get("@graph"), list):
            yield from (each for each in value["@graph"] if isinstance(each, dict) and any(_policies(each)))


def _scopes_of(action: str, incoming: Incoming) -> tuple[Scope, ...]:
    meaning = meaning_of(action, None, incoming.use_types)
    return (meaning.scope,) if meaning is not None else _ACTIONS.get(action, ())


def _get(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    """Return a property, with the prefix or without."""
    return values.get(name, values.get(f"odrl:{name}"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("@id", value.get("@value"))
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _name(action: object) -> str:
    """Return the name of an action without its prefix; of a refined action, that of what is refined."""
    if isinstance(action, dict):
        action = action.get("rdf:value", action.get("value", action))
    name = _text(action) or ""
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)


def _assigner(value: object) -> str | None:
    """Return the name of a party; an IRI is no name that a catalog has."""
    if not isinstance(value, dict):
        return None
    return next((name for key in ("vcard:fn", "fn", "schema:name", "name") if (name := _text(value.get(key)))), None)
