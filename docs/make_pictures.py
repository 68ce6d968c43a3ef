"""Make the pictures of the README from what Earmark really does with the bundled music.

::

    python docs/make_pictures.py            writes docs/demo.svg and docs/how-it-works.png

Needs `pip install 'earmark[benchmarks]'` for matplotlib. Run it again when the model, the table or the demo changes.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from earmark import audio
from earmark.audio.render import encode, mix, read_full_band
from earmark.cli.bundled import open_bundle
from earmark.fingerprint import FingerprintConfig, fingerprint, load_model
from earmark.fingerprint.bands import band_magnitudes
from earmark.fingerprint.saliency import saliency

FOLDER = Path(__file__).parent
COLUMNS = 128  # the narrowest at which the demo's table breaks few words; GitHub scales the picture to its column

TRACK, START_S, ITEM_S, NOISE_DB = "paniq-die-gewalt", 12.0, 10.0, 3.0
SHOWN_S = 4.0  # of the item's 10 s, in the panel of peaks: more, and no single peak is to be seen
_INK, _FOUND, _TRACK_ONLY, _ITEM_ONLY = "#24292f", "#cf222e", "#8c959f", "#54aeff"


def draw_demo(target: Path) -> None:
    """Run the demo in an empty folder and draw what it prints, up to what to type next."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
        command = [sys.executable, "-c", "from earmark.cli import main; main()", "--quiet", "demo"]
        process = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    printed, _, _ = process.stdout.partition("\n\nWhat to type next")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    console.print(Text("$ earmark demo", style="bold"))
    console.print(Text.from_ansi(printed))
    svg = console.export_svg(title="earmark demo", unique_id="demo")
    target.write_text(without_fetches(svg), encoding="utf-8")


def without_fetches(svg: str) -> str:
    """Take out the fonts that rich's pictures load from a server, and name ones that a reader may have."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    stack = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
    svg = re.sub(r"font-family: Fira Code[^;]*;", f"font-family: {stack};", svg)
    svg = svg.replace("<!-- Generated with Rich https://www.textualize.io -->\n", "")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def draw_how_it_works(target: Path) -> None:
    """Draw saliency, peaks and coincidences of a bundled track and a noisy mp3 of a part of it."""
    model = load_model()
    y = audio.load(open_bundle().tracks[TRACK].path)
    item_y = audio.load(_noisy_mp3())
    level = model.config.item_peaks.index(model.config.track_peaks)
    track, item = fingerprint([y], model).words[level, 0], fingerprint([item_y], model).words[level]
    # The item may begin between two words of the track, so both of its frame phases are tried, as in a scan.
    shares = [_coincidences(track, item[phase]) for phase in range(2)]
    phase = int(np.argmax([share.max() for share in shares]))
    mpl.rcParams.update({"font.size": 9, "axes.titlesize": 9.5, "axes.titlelocation": "left", "text.color": _INK})
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(8.6, 8.4), height_ratios=(1, 1.2, 0.8), dpi=110)
    _draw_saliency(top, item_y, model.config)
    _draw_peaks(middle, track[int(shares[phase].argmax()) :], item[phase], model.config)
    _draw_coincidences(bottom, shares[phase], int(np.bitwise_count(item[phase]).sum()), model.config)
    figure.tight_layout(h_pad=1.6)
    figure.savefig(target, metadata={"Software": None})
    plt.close(figure)


def _noisy_mp3() -> bytes:
    """Return the bytes of the item: a part of the track under white noise, as an mp3 of 64 kbit/s."""
    y, sr = read_full_band(open_bundle().tracks[TRACK].path)
    y = y[int(START_S * sr) : int((START_S + ITEM_S) * sr)]
    noise = np.random.default_rng(1).standard_normal(len(y), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "item.mp3"
        encode(mix(y, noise, NOISE_DB), sr, path, bit_rate=64_000)
        return path.read_bytes()


def _coincidences(theirs: NDArray[np.uint64], mine: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return the share of the item's peaks that coincide with the track's, for every place of the item on the track."""
    places = len(theirs) - len(mine) + 1
    found = [int(np.bitwise_count(theirs[i : i + len(mine)] & mine).sum()) for i in range(places)]
    return np.array(found) / int(np.bitwise_count(mine).sum())


def _bits(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return peak words as an image [shape=(64, n_words)]."""
    return (words[None, :] >> np.arange(64, dtype=np.uint64)[:, None] & np.uint64(1)).astype(np.bool_)


def _draw_saliency(axes: Axes, y: NDArray[np.float32], config: FingerprintConfig) -> None:
    S = saliency(band_magnitudes(y, config), config)
    extent = (0.0, len(S) / config.frames_per_second, -0.5, config.n_bands - 0.5)
    axes.imshow(S.T, origin="lower", aspect="auto", cmap="magma", extent=extent, interpolation="nearest")
    axes.set_title("1  The item, 10 s of noisy mp3, as a map of what stands out of its surroundings")
    _name_bands(axes, config)
    axes.axvspan(0, SHOWN_S, ymax=0.985, fill=False, edgecolor="white", linewidth=2.0)
    axes.set_xlabel("seconds of the item; what is framed is shown below")


def _draw_peaks(axes: Axes, track: NDArray[np.uint64], item: NDArray[np.uint64], config: FingerprintConfig) -> None:
    n_words = int(SHOWN_S * config.words_per_second)
    mine, theirs = _bits(item[:n_words]), _bits(track[:n_words])
    classes = theirs * 1 + mine * 2  # 0 neither, 1 the track alone, 2 the item alone, 3 both
    palette = colors.ListedColormap(["white", _TRACK_ONLY, _ITEM_ONLY, _FOUND])
    extent = (0.0, n_words / config.words_per_second, -0.5, config.n_bands - 0.5)
    axes.imshow(
        classes, origin="lower", aspect="auto", cmap=palette, vmin=0, vmax=3, extent=extent, interpolation="none"
    )
    labels = (("in both", _FOUND), ("in the track alone", _TRACK_ONLY), ("in the item alone", _ITEM_ONLY))
    for label, colour in labels:
        axes.plot([], [], "s", color=colour, label=label)
    axes.legend(loc="upper right", ncols=3, framealpha=1.0)
    axes.set_title(
        f"2  The {config.track_peaks} strongest bands of each 64 ms, the item laid on the track at the right place"
    )
    _name_bands(axes, config)
    axes.set_xlabel("seconds of the item")


def _draw_coincidences(axes: Axes, share: NDArray[np.float64], n_peaks: int, config: FingerprintConfig) -> None:
    seconds = np.arange(len(share)) / config.words_per_second
    axes.plot(seconds, 100 * share, color=_INK, linewidth=0.9)
    best = int(share.argmax())
    far = np.abs(np.arange(len(share)) - best) > config.words_per_second
    elsewhere = 100 * share[far].mean()
    axes.axhline(elsewhere, color=_ITEM_ONLY, linestyle="--", label=f"mean of places over 1 s away: {elsewhere:.0f} %")
    axes.legend(loc="upper right", frameon=False)
    peak = (seconds[best], 100 * share[best])
    where = f"{peak[1]:.0f} % at {peak[0]:.1f} s"
    axes.annotate(where, peak, (8, -4), color=_FOUND, textcoords="offset points", va="center")
    axes.set_title(f"3  Coincident peaks at every place of the track, of the item's {n_peaks:,}")
    axes.set_ylabel("coincident, %")
    axes.set_xlabel("second of the track at which the item is laid")
    axes.set_ylim(0, 118 * share.max())
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)


def _name_bands(axes: Axes, config: FingerprintConfig) -> None:
    """Label bands by their centres: equal steps of log-frequency between the outer edges."""
    at = np.array([300, 600, 1200, 2400])
    step = np.log(config.fmax / config.fmin) / (config.n_bands + 1)
    axes.set_yticks(np.log(at / config.fmin) / step - 1, [str(hz) for hz in at])
    axes.set_ylabel("Hz")


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to (%(default)s)")
    out = parser.parse_args().out
    mpl.use("Agg")
    draw_how_it_works(out / "how-it-works.png")
    draw_demo(out / "demo.svg")


if __name__ == "__main__":
    main()
