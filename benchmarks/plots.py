"""Plots of recall: over the level of noise, over speed, tempo and pitch, over the excerpt's length."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import cells
import tables

__all__ = ["draw_all"]

RANGES = {
    "level": ("recall_over_level.png", "dB"),
    "tempo": ("recall_over_tempo.png", "tempo, item over track"),
    "pitch": ("recall_over_pitch.png", "semitones, item less track"),
}


def draw_all(results, out):
    """Draw every plot that the results have the cells for, as PNG files into a folder."""
    groups = {}
    for result in results:
        groups.setdefault((result["cell"], result["seconds"]), []).append(result)
    for field, (name, label) in RANGES.items():
        _draw_range(groups, field, label, out / name)
    _draw_lengths(groups, out / "recall_over_length.png")


def _draw_range(groups, field, label, path):
    """Draw recall in tenths of what was drawn, a curve for each cell and length; fixed levels of a kind join in one."""
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for (name, seconds), some in groups.items():
        limits = _varied(name).get(field)
        if not limits:
            continue
        drawn = np.array([r["change"][field] for r in some])
        _, tenth = tables.tenths(drawn, *limits)
        _curve(
            axes, [(drawn[tenth == k].mean(), some, tenth == k) for k in range(10) if any(tenth == k)], name, seconds
        )
    for (kind, seconds), points in _fixed_levels(groups).items() if field == "level" else ():
        _curve(axes, points, kind, seconds)
    _finish(figure, axes, label, path)


def _varied(name):
    name = name.removeprefix("long_")
    return {} if name == "composed" else cells.varied(cells.parse(name))


def _fixed_levels(groups):
    """Return {(kind, seconds): points} of kinds in dB that were measured at more than one level."""
    points = {}
    for (name, seconds), some in groups.items():
        if name == "composed" or name.startswith("long_"):
            continue
        cell = cells.parse(name)
        if cell.value is not None and cell.kind in (*cells.NOISY, "second"):
            points.setdefault((cell.kind, seconds), []).append((cell.value, some, np.ones(len(some), bool)))
    return {key: sorted(some, key=lambda p: p[0]) for key, some in points.items() if len(some) > 1}


def _draw_lengths(groups, path):
    """Draw recall over the length of the excerpt for cells that were measured at several."""
    figure, axes = plt.subplots(figsize=(8, 4.5))
    lengths = {}
    for (name, seconds), some in groups.items():
        lengths.setdefault(name, []).append((seconds, some, np.ones(len(some), bool)))
    for name, points in lengths.items():
        if len(points) > 1:
            _curve(axes, sorted(points, key=lambda p: p[0]), name, None)
    _finish(figure, axes, "seconds", path)


def _curve(axes, points, name, seconds):
    x, shares, lows, highs = [], [], [], []
    for at, some, inside in points:
        chosen = [r for r, i in zip(some, inside, strict=True) if i]
        hits = [r["log10_e"][r["track"]] is not None for r in chosen]
        low, high = tables.interval(hits, [r["track"] for r in chosen])
        x.append(at)
        shares.append(np.mean(hits))
        lows.append(min(low, shares[-1]))
        highs.append(max(high, shares[-1]))
    label = name if seconds is None else f"{name}, {seconds} s"
    (line,) = axes.plot(x, shares, marker="o", markersize=3, label=label)
    axes.fill_between(x, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)


def _finish(figure, axes, label, path):
    if axes.lines:
        axes.set(xlabel=label, ylabel="recall at the default threshold", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, ncols=2)
        figure.tight_layout()
        figure.savefig(path, dpi=110)
    plt.close(figure)
