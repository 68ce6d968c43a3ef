"""Write the golden fingerprint beside this file: `python tests/formats/make_fingerprint_v1.py`.

Only after a deliberate change of the config or the model, together with an entry in the changelog: whatever a catalog
holds from before that change cannot be compared any more.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from earmark.audio import load
from earmark.fingerprint import fingerprint, load_model

ROOT = Path(__file__).parents[2]
EXCERPTS = ("cameron-d-toxification", "dst-azum", "gachopin-lovin")
EXCERPT_SAMPLES = 8 * 8000


def golden_samples():
    """Return 24 s of three recordings as 16-bit integers, so that no decoder stands between two machines."""
    excerpts = [load(ROOT / "data" / "music" / f"{name}.opus")[:EXCERPT_SAMPLES] for name in EXCERPTS]
    return np.rint(np.clip(np.concatenate(excerpts), -1, 1) * 32767).astype(np.int16)


def as_signal(samples):
    """Return 16-bit integers as the float32 signal that is fingerprinted."""
    return samples.astype(np.float32) / np.float32(32768)


def write_golden(path):
    """Write samples, words, patches and the digests of config and model as an .npz file; equal input, equal bytes."""
    model, samples = load_model(), golden_samples()
    made = fingerprint([as_signal(samples)], model)
    arrays = {
        "kind": np.array("earmark-fingerprint"),
        "version": np.array(1),
        "config_digest": np.array(model.config.digest),
        "model_digest": np.array(model.digest),
        "samples": samples,
        "words": made.words,
        "patches": made.patches,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    write_golden(Path(__file__).with_name("fingerprint_v1.npz"))
