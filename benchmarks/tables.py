"""From the results of queries to the rows of a table, with intervals."""

import math

import numpy as np

import cells

__all__ = [
    "HEADER",
    "MILLION_TRACKS_H",
    "accepted_at_million",
    "claims",
    "heading",
    "interval",
    "markdown_row",
    "row",
    "tenths",
]

MILLION_TRACKS_H = 1e6 * 4 / 60
"""A million tracks of four minutes."""
DEFAULT_LOG10_E = -3.0
N_BOOTSTRAP = 4000
COLUMNS = (
    *("cell", "s", "n", "found", "95 %", "at 10^6", "worst tenth", "offset", "others", "log10 E"),
    *("start s", "end s", "tempo 1 %", "pitch 0.2", "CPU ms"),
)
HEADER = "| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS)


def accepted_at_million(log10_e, catalog_h):
    """Return whether the default threshold would accept the odds in a catalog of a million tracks, too."""
    return log10_e is not None and log10_e + math.log10(MILLION_TRACKS_H / catalog_h) <= DEFAULT_LOG10_E


def interval(hits, tracks):
    """Return the 95 % interval of a share of queries, by bootstrap over tracks.

    Where all or none of the queries hit, a bootstrap has nothing to draw from: the bound is then the exact one of as
    many independent trials as there are tracks.
    """
    hits, (_, number) = np.asarray(hits, float), np.unique(tracks, return_inverse=True)
    n_tracks = number.max() + 1
    bound = 0.025 ** (1 / n_tracks)
    if hits.mean() in (0.0, 1.0):
        return (bound, 1.0) if hits.mean() else (0.0, 1 - bound)
    per_track = np.bincount(number, hits), np.bincount(number)
    drawn = np.random.default_rng(1).multinomial(n_tracks, np.full(n_tracks, 1 / n_tracks), N_BOOTSTRAP)
    shares = (drawn @ per_track[0]) / (drawn @ per_track[1])
    return tuple(np.quantile(shares, (0.025, 0.975)).tolist())


def tenths(drawn, low, high):
    """Divide a range as it is drawn from, ratios by their logarithm; returns (11 edges, the tenth of each value)."""
    edges = np.geomspace(low, high, 11) if low > 0 else np.linspace(low, high, 11)
    return edges, np.clip(np.searchsorted(edges, drawn, side="right") - 1, 0, 9)


def worst_tenth(results, hits):
    """Return (share, which range) of the tenth of a range of what was drawn that is found least; None if none was."""
    name = results[0]["cell"].removeprefix("long_")
    worst = None
    for field, (low, high) in cells.varied(cells.parse(name)).items():
        drawn = np.array([r["change"][field] for r in results])
        edges, tenth = tenths(drawn, low, high)
        for k in range(10):
            inside = hits[tenth == k]
            if len(inside) and (worst is None or inside.mean() < worst["share"]):
                worst = {"share": float(inside.mean()), "n": len(inside), "field": field}
                worst |= {"from": float(edges[k]), "to": float(edges[k + 1])}
    return worst


def row(results, catalog_h):
    """Return the figures of one cell and length."""
    every = "seconds_of_claims" in results[0]  # else the first track of a query decides
    tracks = [t for r in results for t in (r["log10_e"] if every else (r["track"],))]
    best = [r["log10_e"][t] for r in results for t in (r["log10_e"] if every else (r["track"],))]
    hits = np.array([e is not None for e in best])
    found = [r for r in results if r["log10_e"][r["track"]] is not None]
    figures = {
        "cell": results[0]["cell"],
        "seconds": results[0]["seconds"],
        "n": len(best),
        "tracks": len(set(tracks)),
        "catalog_hours": catalog_h,
        "found": _share(hits, tracks),
        "found_at_million": _share([accepted_at_million(e, catalog_h) for e in best], tracks),
        "worst_tenth": None if every else worst_tenth(results, hits),
        "right_offset": _mean([n for r in results for t, n in r["near"].items() if every or t == r["track"]]),
        "others": sum(bool(r["others"]) for r in results),
        "item_hours": sum(r["item_s"] for r in results) / 3600,
        "median_log10_e": float(np.median([e or 0.0 for e in best])),
        "start_error_s": _errors([start for r in results for start, _ in r["edges"]]),
        "end_error_s": _errors([end for r in results for _, end in r["edges"]]),
        "tempo_right": _mean([abs(r["tempo_error"]) <= 0.01 for r in found]),
        "pitch_right": _mean([abs(r["pitch_error"]) <= 0.2 for r in found]),
        "cpu_ms": 1000 * _mean([r["cpu_s"] for r in results]),
    }
    if len(results[0]["log10_e"]) > 1 and results[0]["cell"].startswith("second"):
        both = [[e is not None for e in r["log10_e"].values()] for r in results]
        figures |= {"either": _share(np.any(both, axis=1), tracks), "both": _share(np.all(both, axis=1), tracks)}
    if every:
        figures["by_seconds"] = _by_seconds([r["seconds_of_claims"] for r in results])
    return figures


def _share(hits, tracks):
    low, high = interval(hits, tracks)
    return {"share": float(np.mean(hits)), "low": low, "high": high}


def _mean(values):
    return float(np.mean(values)) if len(values) else None


def _errors(values):
    """Return the median of the absolute errors, their 95 % quantile and the share within 0.25 s."""
    size = np.abs(values)
    if not len(size):
        return None
    return {
        "median": float(np.median(size)),
        "q95": float(np.quantile(size, 0.95)),
        "within_quarter_second": float(np.mean(size <= 0.25)),
    }


def _by_seconds(counts):
    """Return precision, recall and F1 over the seconds of all items, and the interval of F1 by bootstrap over items."""
    counts = np.array(counts)

    def f1(c):
        return 2 * c[..., 0] / np.maximum(2 * c[..., 0] + c[..., 1] + c[..., 2], 1e-9)

    total = counts.sum(axis=0)
    drawn = np.random.default_rng(1).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), N_BOOTSTRAP)
    low, high = np.quantile(f1(drawn @ counts), (0.025, 0.975)).tolist()
    return {
        "precision": float(total[0] / max(total[0] + total[1], 1e-9)),
        "recall": float(total[0] / max(total[0] + total[2], 1e-9)),
        "f1": float(f1(total)),
        "low": low,
        "high": high,
    }


def markdown_row(figures):
    """Return the lines of a cell and length: the table's row, then what only some cells have."""
    found, worst = figures["found"], figures["worst_tenth"]
    columns = [
        *(figures["cell"], figures["seconds"], figures["n"], f"{found['share']:.3f}"),
        f"{found['low']:.3f}-{found['high']:.3f}",
        f"{figures['found_at_million']['share']:.3f}",
        f"{worst['share']:.2f} ({worst['field']} {worst['from']:.2f}..{worst['to']:.2f})" if worst else "",
        *(_said(figures["right_offset"]), figures["others"], f"{figures['median_log10_e']:.1f}"),
        *(f"{e['median']:.2f}; {e['q95']:.2f}" if (e := figures[k]) else "" for k in ("start_error_s", "end_error_s")),
        *(_said(figures["tempo_right"]), _said(figures["pitch_right"]), f"{figures['cpu_ms']:.0f}"),
    ]
    lines = ["| " + " | ".join(map(str, columns)) + " |"]
    lines += [_extra(figures, name, figures[name]) for name in ("either", "both") if name in figures]
    if "by_seconds" in figures:
        by = figures["by_seconds"]
        lines.append(_extra(figures, "F1 by seconds", by | {"share": by["f1"]}))
        lines += [_extra(figures, f"{name} by seconds", {"share": by[name]}) for name in ("precision", "recall")]
    return "\n".join(lines)


def _said(share):
    return "" if share is None else f"{share:.3f}"


def _extra(figures, name, share):
    """Return a line of the table that has a share and its interval alone."""
    span = f"{share['low']:.3f}-{share['high']:.3f}" if "low" in share else ""
    columns = [f"{figures['cell']}: {name}", figures["seconds"], figures["n"], f"{share['share']:.3f}", span]
    return "| " + " | ".join(map(str, columns)) + " |" + " |" * (len(COLUMNS) - len(columns))


def heading(about):
    """Return what stands over the table."""
    said = ", ".join(f"{name} {value}" for name, value in about.items())
    return f"# Accuracy\n\n{said}\n\n"


def claims(results):
    """Return a list of every claim of music that is not there, the most surprising first."""
    lines = []
    for r in results:
        for track, start, end, e in r["others"]:
            where = f"{r['cell']} {r['seconds']} s, query {r['number']} of {r['track']}"
            lines.append((e, f"- {where}: {track} at {start:.1f}-{end:.1f} s, log10 E {e:.1f}"))
    hours = sum(r["item_s"] for r in results) / 3600
    said = f"{len(lines)} in {hours:.2f} h of items, the same stretches of music many times over.\n"
    return "\n## Claims of what is not there\n\n" + "\n".join([said, *(line for _, line in sorted(lines))]) + "\n"
