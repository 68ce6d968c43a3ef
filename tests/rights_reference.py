"""The policy, slow and obvious: try every value of every missing fact. Imports nothing of ours."""

from datetime import date
from fractions import Fraction
from itertools import product

COVERAGE = ("track_id", "isrc", "upc", "label", "rightsholder")
STATUS = {"allowed": "licensed", "constrained": "review", "not_allowed": "unlicensed"}


def begun(grant, day):
    return grant["valid_from"] is None or grant["valid_from"] <= day


def ended(grant, day):
    over = grant["valid_to"] is not None and grant["valid_to"] < day
    return over or (grant["withdrawn_on"] is not None and grant["withdrawn_on"] <= day)


def in_dates(grant, day):
    return begun(grant, day) and not ended(grant, day)


def was_ever_in_force(grant):
    start, back = grant["valid_from"], grant["withdrawn_on"]
    return back is None or (start is not None and start < back) or (start is None and back > date.min)


def heirs_of(grant, grants):
    direct = [other for other in grants if other["supersedes"] == grant["grant_id"]]
    return direct + [later for heir in direct for later in heirs_of(heir, grants)]


def replaced(grant, grants, day):
    heirs = heirs_of(grant, grants)
    if grant["permission"] == "not_allowed":  # stands again when what lifted it is over
        return any(in_dates(heir, day) for heir in heirs)
    return any(begun(heir, day) and was_ever_in_force(heir) for heir in heirs)


def covers(clause, case):
    return all(clause[column] is None or clause[column] == case[column] for column in COVERAGE)


def in_territory(clause, case):
    everywhere = clause["territories"] == {"Worldwide"}
    inside = everywhere or case["territory"] in clause["territories"]
    return inside and case["territory"] not in clause.get("excluded_territories", ())


def applies_to_somebody(grant, grants, case):
    in_scope = grant["scope"] == case["scope"]
    for_product = grant["product"] in {None, case["product"]}
    in_force = in_dates(grant, case["as_of"]) and not replaced(grant, grants, case["as_of"])
    return covers(grant, case) and in_scope and for_product and in_territory(grant, case) and in_force


def rank(clause):
    return next(place for place, column in enumerate(COVERAGE) if clause[column] is not None)


def is_reserved(reservation, case):
    asserted = reservation["asserted_at"] is None or reservation["asserted_at"] <= case["as_of"]
    return covers(reservation, case) and case["scope"] in reservation["scopes"] and asserted


def applying(grants, case):
    found = [grant for grant in grants if applies_to_somebody(grant, grants, case)]
    return [grant for grant in found if grant["licensee"] in {"*", case["licensee"]}]


def status_when_all_is_known(grants, reservations, case):
    found = applying(grants, case)
    for place in range(len(COVERAGE)):
        for permission in ("not_allowed", "constrained", "allowed"):
            if any(rank(grant) == place and grant["permission"] == permission for grant in found):
                contradicted = permission == "allowed" and is_contradicted(place, grants, reservations, case)
                return "review" if contradicted else STATUS[permission]
    return "unlicensed"


def is_contradicted(place, grants, reservations, case):
    """Whether leave that was given at this rank is contradicted."""
    for other in grants:
        stranger = other["exclusive"] and other["licensee"] != case["licensee"]
        if stranger and applies_to_somebody(other, grants, case) and rank(other) <= place:
            return True
    by_name = any(grant["licensee"] != "*" and grant["permission"] == "allowed" for grant in applying(grants, case))
    return not by_name and any(
        is_reserved(reservation, case) and rank(reservation) <= place for reservation in reservations
    )


def status(grants, case, universe, reservations=()):
    """`universe`: for each fact, all the values that it may take; facts that are None in `case` take each of them."""
    facts = list(universe)
    choices = [universe[fact] if case[fact] is None else [case[fact]] for fact in facts]
    cases = [dict(zip(facts, values, strict=True)) for values in product(*choices)]
    statuses = {status_when_all_is_known(grants, reservations, one) for one in cases}
    return statuses.pop() if len(statuses) == 1 else "review"


def status_of_parts(parts, sufficient):
    """`parts`: (share, status, forbidden) of each holder, all shares known; what is missing to 1 may be anything."""
    missing = 1 - sum(share for share, _, _ in parts)
    outcomes = set()
    for values in product(["licensed", "unlicensed"], repeat=len(parts) + 1):
        possible = all(got in {value, "review"} for (_, got, _), value in zip(parts, values[:-1], strict=True))
        if not possible:
            continue
        shares = [share for share, _, _ in parts] + [missing]
        licensed = sum((s for s, value in zip(shares, values, strict=True) if value == "licensed"), Fraction())
        if licensed < sufficient:
            outcomes.add("unlicensed")
        else:
            outcomes.add("review" if any(forbidden for _, _, forbidden in parts) else "licensed")
    return outcomes.pop() if len(outcomes) == 1 else "review"
