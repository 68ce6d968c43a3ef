"""Writes `lhotse/`, the fixture of test_corpus_formats.py, with the real Lhotse (which needs PyTorch, so not in tests).

In an environment of its own: pip install lhotse torch soundfile soxr; python tests/formats/make_lhotse.py
"""

import shutil
from pathlib import Path

import numpy as np
import soundfile
import soxr

FOLDER = Path(__file__).parent / "lhotse"
MUSIC = Path(__file__).parents[2] / "data" / "music"
RATE = 8000


def excerpt(name, start_s, duration_s):
    y, rate = soundfile.read(MUSIC / name, dtype="float32")
    return soxr.resample(y[int(start_s * rate) : int((start_s + duration_s) * rate)], rate, RATE)


def write_audio():
    """Two pieces of 6 s one after the other, and one alone."""
    (FOLDER / "audio").mkdir()
    chaos = excerpt("muldjord-chaos-god.opus", 8, 6)
    gewalt = excerpt("paniq-die-gewalt.opus", 8, 6)
    azum = excerpt("dst-azum.opus", 8, 6)
    soundfile.write(FOLDER / "audio" / "two.flac", np.concatenate([gewalt, chaos]), RATE)
    soundfile.write(FOLDER / "audio" / "one.flac", azum, RATE)


def recordings():
    """Recordings as Lhotse makes them of files, but with paths relative to the manifest."""
    from lhotse import Recording

    made = [Recording.from_file(path) for path in sorted((FOLDER / "audio").glob("*.flac"))]
    for recording in made:
        recording.sources[0].source = str(Path(recording.sources[0].source).relative_to(FOLDER))
    return made


def main():
    import lhotse
    from lhotse import CutSet, RecordingSet
    from lhotse.shar import SharWriter

    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    write_audio()
    one, two = recordings()
    RecordingSet.from_recordings([one, two]).to_file(FOLDER / "recordings.jsonl.gz")
    first, second = two.to_cut().cut_into_windows(duration=6.0)
    alone = one.to_cut()
    cuts = [first, second, alone.pad(duration=8.0), alone.truncate(duration=5.0).perturb_speed(1.25)]
    CutSet.from_cuts(cuts).to_file(FOLDER / "cuts.jsonl.gz")
    absolute = [cut.with_recording_path_prefix(FOLDER) for cut in (first, second, alone)]
    (FOLDER / "shar").mkdir()
    with SharWriter(FOLDER / "shar", fields={"recording": "flac"}, shard_size=2) as writer:
        for number, cut in enumerate(absolute):
            cut.id = f"cut-{number}"
            writer.write(cut)
    (FOLDER / "VERSION").write_text(f"lhotse {lhotse.__version__}\n")


if __name__ == "__main__":
    main()
