"""Wrote `made_up` with the first Earmark that wrote version 2 of the format; what it gave is in `made_up.json`.

Model and tracks are those of version 1's, and there is a further id, a correction and a removed track. Run it only to
see what it writes today, in a folder of its own: `python -m tests.formats.v2.make_made_up FOLDER`.
"""

import json
import sys
from pathlib import Path

from tests.formats.v1.make_made_up import centroids, patches, sketch

from earmark.catalog import Layout, list_tracks, open_catalog, remove_tracks, update_tracks
from earmark.catalog.manifest import Manifest
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.storage import replace_manifest
from earmark.catalog.track import TrackTags, reference
from earmark.fingerprint import load_model


def model(digest):
    """The made-up model, under a name; that of a shipped one, as the lists are for it."""
    one = load_model()
    made = type(one)(
        config=one.config, projection=one.projection, offset=one.offset, centroids=centroids(), cohort=one.cohort
    )
    object.__setattr__(made, "digest", digest)
    return made


def answers(catalog):
    """What a search in it gives."""
    tracks, positions, products = catalog.search(patches(6, 5), 5)
    return {"tracks": tracks.tolist(), "positions": positions.tolist(), "products": products.tolist()}


def main(folder):
    made = model(load_model().digest)
    path = folder / "made_up"
    path.mkdir()
    entries = []
    for name, tracks in (("0001", {"a": 320, "b": 40}), ("0002", {"c": 60})):
        with SegmentWriter(path, name, made, Layout(exact_below=300)) as writer:
            for track_id, n in tracks.items():
                one = sketch(n, 1000 * ord(track_id))
                writer.add(TrackTags(track_id=track_id, title=track_id.upper(), label="L", isrc="GBAYE6800011"), one)
                if track_id == "a":
                    again = reference(n_samples=one.n_samples, content=one.content)
                    writer.add(TrackTags(track_id="again", extra={"upc": "1"}), again)
            entries.append(writer.finish())
    manifest = Manifest(
        written_by="earmark 0.1.0.dev0",
        config_digest=made.config.digest,
        model_digest=made.digest,
        segments=tuple(entries),
    )
    replace_manifest(path, manifest)
    (folder / "new.csv").write_text("track_id,title\na,Corrected\n")
    update_tracks(path, folder / "new.csv")
    (folder / "new.csv").unlink()
    remove_tracks(path, ["b"])
    (path / "lock").unlink()
    rows = [[one.track_id, one.title, one.recording] for one in list_tracks(path)]
    found = {"rows": rows, **answers(open_catalog(path, made))}
    (folder / "made_up.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
