"""Readers in processes of their own, while a catalog is changed all the time: each sees one state, whole."""

import subprocess
import sys

import numpy as np

from earmark.catalog import check_catalog, compact_catalog, remove_tracks, update_tracks

from .synthetic_catalog import MODEL, sketch, write_catalog

# Opens the catalog again and again, and says how many states it saw; every track has the title of its state.
_READER = """
import sys
from pathlib import Path
import numpy as np
from earmark.catalog import catalog_info, list_tracks, open_catalog
from earmark.fingerprint import load_model

path, model, seen, n = Path(sys.argv[1]), load_model(), set(), 0
print("ready", flush=True)
while not (path.parent / "over").exists():
    catalog = open_catalog(path, model)
    seen.add(catalog.digest)
    n += 1
    titles, ids = set(), set()
    found = set(catalog.search(np.full((4, 128), 9, np.int8), 20)[0].ravel().tolist()) - {-1}
    for number in found:
        track = catalog.track(number)
        titles.add(track.title)
        assert track.track_id not in ids
        ids.add(track.track_id)
        assert len(catalog.words(number)) == round(track.duration_s * 8000 / 512) + 15, track
    assert len(titles) == 1, titles
    catalog.close()
    listed = list(list_tracks(path))
    assert len({track.title for track in listed}) == 1
    assert len({track.track_id for track in listed}) == len(listed)
    assert catalog_info(path).n_tracks <= 40
print(n, len(seen))
"""


def test_readers_see_one_state_while_writers_go_on(tmp_path):
    rng = np.random.default_rng(19)
    tracks = [(f"t{i}", sketch(rng, 20 + i)) for i in range(40)]
    path = write_catalog(tmp_path / "c", [tracks[:15], tracks[15:25], tracks[25:]])
    command = [sys.executable, "-c", _READER, path]
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as other:
        assert one.stdout.readline() == other.stdout.readline() == "ready\n"
        try:
            for step in range(30):
                (tmp_path / "new.csv").write_text(
                    "track_id,title\n" + "".join(f"{name},{step}\n" for name, _ in tracks[step:])
                )
                update_tracks(path, tmp_path / "new.csv")
                remove_tracks(path, [f"t{step}"])
                if step % 3 == 2:
                    compact_catalog(path, model=MODEL, everything=True)
        finally:
            (tmp_path / "over").touch()
        told = [reader.stdout.read().split() for reader in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0)
    assert all(int(n_states) > 3 for _, n_states in told), told
    found = check_catalog(path, model=MODEL)
    assert (found.damage, found.notes, found.n_tracks) == ((), (), 10)
