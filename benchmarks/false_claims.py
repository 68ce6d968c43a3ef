"""False claims: scan music that is not in the catalog, and count what is claimed all the same.

::

    python benchmarks/false_claims.py                     either half of the packages against the other
    python benchmarks/false_claims.py --max-e-value 10    see the best of chance, to compare with the odds it gets

The packages are divided into two halves of about equal length; packages that are known to share recordings, loops or
an artist stay on one side. Each half is scanned by the command line, against a catalog of the other half, at the
default threshold: a folder of links to the original files, as they were published. Every claim is listed, so that
somebody can listen to it: it is false, or two packages hold the same music and nobody knew. The bound is the highest
rate at which chance would leave as few claims or fewer in 5 % of all such trials (Poisson; 3 / hours where there is
none).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import scipy.stats

import folds
import music
from earmark.fingerprint import load_model
from earmark.report import read_matches, read_summary

N_FOLDS = 2


def link_items(files, folder):
    """Make a folder of links `package__path` to original files."""
    folder.mkdir()
    for track_id, path in files:
        (folder / track_id.replace("/", "__")).symlink_to(Path(path).absolute())


def scan(items, catalog, out, options):
    """Scan with the command line; returns the rows of matches and the summary."""
    command = [sys.executable, "-c", "from earmark.cli import main; main()", "--quiet", "scan", str(items)]
    command += ["--catalog", str(catalog), "--out", str(out), *options]
    process = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if process.returncode not in (0, 4):  # 4: some items failed, which the coverage says
        sys.exit(f"the scan of {items} ended with exit code {process.returncode}:\n{process.stdout}")
    return list(read_matches(out)), read_summary(out)


def listen_to_fold(k, fold, options):
    """Scan fold `k` against the others; returns (matches, summary)."""
    packages = {package for package, number in fold.items() if number == k}
    catalog = folds.catalog_without(packages, f"{k}-of-{N_FOLDS}")
    files = [(i, path) for i, path in music.music_files() if music.package(i) in packages]
    with tempfile.TemporaryDirectory() as scratch:
        items = Path(scratch) / "items"
        link_items(files, items)
        return scan(items, catalog, Path(scratch) / "scan", options)


def upper_bound(n_claims, hours):
    """Return the upper end of the one-sided 95 % interval of a Poisson rate (Garwood 1936)."""
    return scipy.stats.chi2.ppf(0.95, 2 * (n_claims + 1)) / 2 / hours


def print_claims(matches):
    """List claims, the most surprising first."""
    for m in sorted(matches, key=lambda m: m.log10_e_value):
        print(
            f"  {m.item} {m.item_start_s:.1f}-{m.item_end_s:.1f} s: {m.track_id} {m.track_start_s:.1f}-"
            f"{m.track_end_s:.1f} s, log10 E {m.log10_e_value:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--max-e-value", type=float, help="as for `earmark scan` [default: the command's own]")
    parser.add_argument("--effort", help="as for `earmark scan`")
    parser.add_argument("--jobs", type=int, help="as for `earmark scan`")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    options = [] if args.max_e_value is None else ["--max-e-value", str(args.max_e_value)]
    options += [] if args.effort is None else ["--effort", args.effort]
    options += [] if args.jobs is None else ["--jobs", str(args.jobs)]
    fold = folds.fold_of_packages(N_FOLDS)
    print(f"model {load_model().digest[:16]}")
    figures = []
    for k in range(N_FOLDS):
        matches, summary = listen_to_fold(k, fold, options)
        figures.append(
            {
                "claims": summary["matches"]["total"],
                "item_hours": summary["hours"]["scanned"],
                "items": summary["items"]["total"],
                "catalog_hours": summary["catalog"]["hours"],
                "max_e_value": summary["options"]["max_e_value"],
            }
        )
        print(f"half {k}: {summary['coverage']} {len(matches)} matches in {summary['hours']['scanned']:.2f} h")
        print_claims(matches)
    n_claims, hours = (sum(one[name] for one in figures) for name in ("claims", "item_hours"))
    print("\n| half | items | hours of items | hours of catalog | claims |\n|---|---|---|---|---|")
    for k, one in enumerate(figures):
        print(f"| {k} | {one['items']} | {one['item_hours']:.2f} | {one['catalog_hours']:.2f} | {one['claims']} |")
    print(
        f"\n{n_claims} claims in {hours:.2f} h of items at --max-e-value {figures[0]['max_e_value']:g}: "
        f"{n_claims / hours:.4f} an hour, 95 % bound {upper_bound(n_claims, hours):.4f} an hour"
    )
    if args.json:
        args.json.write_text(json.dumps({"model": load_model().digest, "halves": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
