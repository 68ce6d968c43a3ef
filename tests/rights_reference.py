"""The policy, slow and obvious: try every value of every missing fact. Imports nothing of ours."""

from itertools import product

COVERAGE = ("track_id", "isrc", "label", "rightsholder")
STATUS = {"allowed": "licensed", "constrained": "review", "not_allowed": "unlicensed"}


def in_dates(grant, day):
    after_start = grant["valid_from"] is None or grant["valid_from"] <= day
    before_end = grant["valid_to"] is None or day <= grant["valid_to"]
    return after_start and before_end


def replaced(grant, grants, day):
    heirs = [other for other in grants if other["supersedes"] == grant["grant_id"]]
    return any(in_dates(heir, day) or replaced(heir, grants, day) for heir in heirs)


def applies(grant, grants, case):
    covers = all(grant[column] is None or grant[column] == case[column] for column in COVERAGE)
    to_licensee = grant["licensee"] in {"*", case["licensee"]}
    in_scope = grant["scope"] == case["scope"]
    everywhere = grant["territories"] == {"Worldwide"}
    in_territory = everywhere or case["territory"] in grant["territories"]
    excluded = case["territory"] in grant["excluded_territories"]
    in_force = in_dates(grant, case["as_of"]) and not replaced(grant, grants, case["as_of"])
    return covers and to_licensee and in_scope and in_territory and not excluded and in_force


def status_when_all_is_known(grants, case):
    found = [grant for grant in grants if applies(grant, grants, case)]
    for column in COVERAGE:
        ranked = [grant for grant in found if next(c for c in COVERAGE if grant[c] is not None) == column]
        for permission in ("not_allowed", "constrained", "allowed"):
            if any(grant["permission"] == permission for grant in ranked):
                return STATUS[permission]
    return "unlicensed"


def status(grants, case, universe):
    """`universe`: for each fact, all the values that it may take; facts that are None in `case` take each of them."""
    facts = list(universe)
    choices = [universe[fact] if case[fact] is None else [case[fact]] for fact in facts]
    statuses = {status_when_all_is_known(grants, dict(zip(facts, values, strict=True))) for values in product(*choices)}
    return statuses.pop() if len(statuses) == 1 else "review"
