"""From a score to odds: the expected number of chance matches at least this good, per hour of item audio."""

import dataclasses
import functools
import json
import math
from importlib import resources

from earmark.errors import ParameterError
from earmark.fingerprint import Model

__all__ = ["SHARES", "Calibration", "load_calibration", "log10_e_value", "score_at"]

SHARES = {"plain": 0.4, "residue": 0.2, "sweep": 0.4}
"""What share of the chance matches that are accepted each look at an item may bring, where all are taken."""

SERVED_BY = {"residue": "plain"}
"""What is left of an item without the tracks found is looked at as the item is, so the same fit serves."""

SHARES_WITH = {"short": "sweep"}
"""No seconds are swept both as part of a long stretch and as a short one."""

LOWEST_LOG10 = -300.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The tail of the best chance scores, fitted by `benchmarks/calibrate.py`.

    Attributes
    ----------
    intercept : float
        log10 of the number of chance matches of score 0 and more, per hour of item and hour of catalog; extrapolated.
    slope : float
        By how much that log falls for each unit of score.
    """

    intercept: float
    slope: float


@functools.lru_cache(maxsize=16)
def load_calibration(model: Model, effort: str, look: str) -> Calibration:
    """Return the calibration that was fitted for a model, an effort and one of its looks at an item.

    Parameters
    ----------
    model : Model
    effort : str
    look : str
        "plain" (the item as it is), "residue" (what is left of it without the tracks found), "sweep" or "short" (the
        sweep of long and of short stretches). A match of one look is as good as its odds times what the other looks
        add, so each look's chance matches count by its share of those that are accepted.

    Raises
    ------
    ParameterError
        If nothing was fitted for the model, the effort or the look.
    """
    fitted = json.loads(resources.files("earmark.matching").joinpath("calibration.json").read_text("utf-8"))
    if fitted["model"] != model.digest:
        raise ParameterError(
            f"odds are calibrated for model {fitted['model']}, got {model.digest}: run benchmarks/calibrate.py"
        )
    fits = fitted["efforts"].get(effort, {})
    fitted_as = SERVED_BY.get(look, look)
    if fitted_as not in fits:
        raise ParameterError(f"no odds are calibrated for effort {effort!r}, {look!r}: run benchmarks/calibrate.py")
    one = Calibration(**fits[fitted_as])
    taken = [name for name in SHARES if SERVED_BY.get(name, name) in fits]
    share = SHARES[SHARES_WITH.get(look, look)] / sum(SHARES[name] for name in taken)
    return dataclasses.replace(one, intercept=one.intercept - math.log10(share))


def log10_e_value(score: float, catalog_s: float, calibration: Calibration) -> float:
    """Return the log of the expected number of chance matches at least this good per hour of item audio.

    Chance has as many opportunities as the catalog has hours, so the number is in proportion to them.

    Parameters
    ----------
    score : float
    catalog_s : float
        Seconds of audio in the catalog.
    calibration : Calibration

    Returns
    -------
    float
        At least -300.

    Examples
    --------
    >>> log10_e_value(10.0, 36000.0, Calibration(intercept=6.0, slope=1.0))
    -3.0
    """
    hours = max(catalog_s / 3600.0, 1e-6)
    return max(calibration.intercept - calibration.slope * score + math.log10(hours), LOWEST_LOG10)


def score_at(log10_e: float, catalog_s: float, calibration: Calibration) -> float:
    """Return the score whose `log10_e_value` is `log10_e`.

    Examples
    --------
    >>> score_at(-3.0, 36000.0, Calibration(intercept=6.0, slope=1.0))
    10.0
    """
    return (calibration.intercept + math.log10(max(catalog_s / 3600.0, 1e-6)) - log10_e) / calibration.slope
