"""How fast a license registry is made and asked, and in how much memory.

::

    python benchmarks/rights.py                        1 M recordings, 10,000 grants, an ERN message of 1 GB
    python benchmarks/rights.py --rows 10000000 --ern-mb 0   a CSV table of 10 M rows alone

Every import runs in a process of its own, whose greatest resident memory is read when it has ended. Decisions are about
recordings drawn at random, each another one; their rate is by processor time, so that other processes count little.
"""

import argparse
import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from earmark.rights import PERMISSIONS, SCOPES, Recording, Use, decide, read_registry
from earmark.rights.importing import ImportOptions, import_files
from earmark.rights.use_types import UseMeaning

N_LABELS, N_HOLDERS, N_DECISIONS, N_ROUND = 5_000, 20_000, 50_000, 2_500
USE = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=date(2026, 11, 1))


def isrc_of(number):
    return f"GB{chr(65 + number // 10_000_000 % 26)}A{chr(65 + number // 10_000_000 // 26)}{number % 10_000_000:07d}"


def write_recordings(path, n_rows):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["track_id", "isrc", "title", "artists", "label", "p_line", "duration_s"])
        for n in range(n_rows):
            label = f"Label {n % N_LABELS}"
            row = [
                f"T{n}",
                isrc_of(n),
                f"Song number {n}",
                f"Artist {n % 70_000}",
                label,
                f"2020 {label}",
                200 + n % 90,
            ]
            table.writerow(row)


def write_holdings(path, n_rows):
    """One holder each, and of every tenth recording two."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["track_id", "rightsholder", "share"])
        for n in range(n_rows):
            first, second = f"Holder {n % N_HOLDERS}", f"Holder {(n + 1) % N_HOLDERS}"
            if n % 10:
                table.writerow([f"T{n}", first, 100])
            else:
                table.writerows([[f"T{n}", first, 60], [f"T{n}", second, 40]])


def write_grants(path, n_grants, n_recordings):
    rng = random.Random(1)
    columns = ["track_id", "isrc", "label", "rightsholder"]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            [
                "grant_id",
                "licensee",
                "scope",
                "permission",
                *columns,
                "territories",
                "valid_from",
                "valid_to",
                "contract_ref",
            ]
        )
        for n in range(n_grants):
            values = [f"T{rng.randrange(n_recordings)}", isrc_of(rng.randrange(n_recordings))]
            values += [f"Label {rng.randrange(N_LABELS)}", f"Holder {rng.randrange(N_HOLDERS)}"]
            at = rng.choice([0, 1, 2, 2, 2, 3, 3, 3])
            covered = [value if place == at else "" for place, value in enumerate(values)]
            who, scope = rng.choice(["Acme AI", "Acme AI", "Rival AI", "*"]), rng.choice(["ai_training", *SCOPES])
            where = rng.choice(["Worldwide", "US CA GB", "DE FR"])
            when = rng.choice([["2026-01-01", "2026-12-31"], ["2025-01-01", ""], ["", "2025-12-31"]])
            table.writerow([f"G{n}", who, scope, rng.choice(PERMISSIONS), *covered, where, *when, f"C-{n}"])


def write_message(path, n_bytes):
    """Write an ERN 4.3 message of about so many bytes; return the number of its recordings."""
    recording = (
        "<SoundRecording><ResourceReference>A{n}</ResourceReference><Type>MusicalWorkSoundRecording</Type>"
        "<SoundRecordingEdition><ResourceId><ISRC>{isrc}</ISRC></ResourceId><PLine><Year>2020</Year><PLineText>2020"
        "</PLineText></PLine><TechnicalDetails><TechnicalResourceDetailsReference>T{n}"
        "</TechnicalResourceDetailsReference>"
        "<DeliveryFile><Type>AudioFile</Type><AudioCodecType>FLAC</AudioCodecType><File><URI>audio/{n}.flac</URI>"
        "<HashSum><Algorithm>SHA2</Algorithm><HashSumValue>{n:064x}</HashSumValue></HashSum></File></DeliveryFile>"
        "</TechnicalDetails></SoundRecordingEdition><DisplayTitleText>Song number {n}</DisplayTitleText>"
        "<DisplayArtistName>Artist {n}</DisplayArtistName><ResourceRightsController><RightsControllerPartyReference>P1"
        "</RightsControllerPartyReference><RightSharePercentage>100</RightSharePercentage></ResourceRightsController>"
        "<Duration>PT3M20S</Duration><Genre><GenreText>Pop</GenreText></Genre></SoundRecording>\n"
    )
    release = (
        "<TrackRelease><ReleaseReference>R{n}</ReleaseReference><ReleaseId><ProprietaryId>p{n}</ProprietaryId></ReleaseId>"
        "<DisplayTitleText>Song number {n}</DisplayTitleText><ReleaseResourceReference>A{n}</ReleaseResourceReference>"
        "<ReleaseLabelReference>P1</ReleaseLabelReference></TrackRelease>\n"
    )
    deal = (
        "<ReleaseDeal><DealReleaseReference>R{n}</DealReleaseReference><Deal><DealTerms><TerritoryCode>Worldwide"
        "</TerritoryCode><ValidityPeriod><StartDate>2026-01-01</StartDate></ValidityPeriod><CommercialModelType>"
        "SubscriptionModel</CommercialModelType><UseType>OnDemandStream</UseType>{ai}</DealTerms></Deal></ReleaseDeal>\n"
    )
    ai = '<UseType UserDefinedValue="AiTraining">UserDefined</UseType>'
    each = sum(len(text.format(n=10**6, isrc=isrc_of(0), ai="")) for text in (recording, release, deal))
    n_recordings = max(n_bytes // each, 1)
    with path.open("w") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<ern:NewReleaseMessage xmlns:ern="http://ddex.net/xml/ern/43">'
            "<MessageHeader><MessageId>BIG</MessageId><MessageSender><PartyId>PADPIDA2014021501L</PartyId>"
            "</MessageSender><MessageRecipient><PartyName><FullName>Acme AI</FullName></PartyName></MessageRecipient>"
            "<MessageCreatedDateTime>2026-01-01T00:00:00Z</MessageCreatedDateTime></MessageHeader><PartyList><Party><PartyReference>P1</PartyReference><PartyName>"
            "<FullName>Small Label</FullName></PartyName></Party></PartyList><ResourceList>\n"
        )
        file.writelines(recording.format(n=n, isrc=isrc_of(n)) for n in range(n_recordings))
        file.write("</ResourceList><ReleaseList>\n")
        file.writelines(release.format(n=n) for n in range(n_recordings))
        file.write("</ReleaseList><DealList>\n")
        # Every tenth deal is about training, too.
        file.writelines(deal.format(n=n, ai="" if n % 10 else ai) for n in range(n_recordings))
        file.write("</DealList></ern:NewReleaseMessage>\n")
    return n_recordings


def measured_import(registry, files):
    """Import in a process of its own; return what it reports."""
    command = [sys.executable, __file__, "--import", str(registry), *map(str, files)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def import_here(registry, files):
    n_reports = 0

    def count(_):
        nonlocal n_reports
        n_reports += 1

    start, cpu = time.monotonic(), time.process_time()
    options = ImportOptions(use_types={"AiTraining": UseMeaning(scope="ai_training")})
    report = import_files(registry, files, options, on_progress=count)
    print(
        json.dumps(
            {
                "facts": sum(report.added.values()),
                "refused": report.n_refused,
                "progress": n_reports,
                "wall_s": time.monotonic() - start,
                "cpu_s": time.process_time() - cpu,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def show_import(name, registry, files):
    size = sum(path.stat().st_size for path in files)
    found = measured_import(registry, files)
    print(
        f"{name}: {size / 1e6:,.0f} MB, {found['facts']:,} facts, {found['refused']:,} refused; "
        f"{found['wall_s']:.0f} s, "
        f"{found['cpu_s']:.0f} s of processor, {found['peak_mb']:.0f} MB at most, {found['progress']:,} reports; "
        f"registry {registry.stat().st_size / 1e6:,.0f} MB"
    )


def show_decisions(registry, n_recordings):
    start = time.process_time()
    opened = read_registry(registry)
    print(f"opening: {time.process_time() - start:.1f} s of processor, {len(opened.grants):,} grants")
    rng = random.Random(2)
    drawn = rng.sample(range(n_recordings), min(N_DECISIONS, n_recordings))
    recordings = [Recording(track_id=f"T{n}", isrc=isrc_of(n), label=f"Label {n % N_LABELS}") for n in drawn]
    counts, rates = {}, []
    for at in range(0, len(recordings), N_ROUND):
        of_round = recordings[at : at + N_ROUND]
        start = time.process_time()
        for recording in of_round:
            status = decide(recording, opened, USE).status
            counts[status] = counts.get(status, 0) + 1
        rates.append(len(of_round) / (time.process_time() - start))
    print(
        f"decisions: {statistics.median(rates):,.0f} a second of one processor (median of {len(rates)} rounds; "
        f"{min(rates):,.0f} to {max(rates):,.0f}), {counts}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", type=int, default=1_000_000, help="in the registry that is asked (%(default)s)")
    parser.add_argument("--grants", type=int, default=10_000, help="in it (%(default)s)")
    parser.add_argument("--ern-mb", type=int, default=1000, help="size of the ERN message; 0 for none (%(default)s)")
    parser.add_argument("--rows", type=int, default=0, help="of one long CSV table, in place of that registry")
    parser.add_argument("--import", dest="here", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        import_here(arguments.here[0], arguments.here[1:])
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        root = Path(folder)
        if arguments.rows:
            write_recordings(root / "long.csv", arguments.rows)
            show_import(f"CSV of {arguments.rows:,} rows", root / "long.registry", [root / "long.csv"])
            (root / "long.csv").unlink()
        else:
            tables = [root / f"{name}.csv" for name in ("recordings", "holdings", "grants")]
            write_recordings(tables[0], arguments.recordings)
            write_holdings(tables[1], arguments.recordings)
            write_grants(tables[2], arguments.grants, arguments.recordings)
            show_import(f"CSV of {arguments.recordings:,} recordings", root / "registry", tables)
            show_decisions(root / "registry", arguments.recordings)
        if arguments.ern_mb:
            n_recordings = write_message(root / "big.xml", arguments.ern_mb * 1_000_000)
            show_import(f"ERN of {n_recordings:,} recordings", root / "ern.registry", [root / "big.xml"])


if __name__ == "__main__":
    main()
