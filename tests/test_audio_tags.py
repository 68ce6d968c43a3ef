"""Tags of real files written by real encoders."""

import av
import numpy as np
import pytest

from earmark.audio.tags import Tags, read_tags

from .encoded import MUSIC


@pytest.mark.parametrize(
    ("container", "codec", "keys"),
    [
        ("mp3", "libmp3lame", ("TSRC", "publisher")),
        ("ogg", "libopus", ("ISRC", "LABEL")),
        ("flac", "flac", ("isrc", "organization")),
        ("matroska", "libopus", ("ISRC", "PUBLISHER")),
    ],
)
def test_tags_of_each_container(tmp_path, container, codec, keys):
    path = tmp_path / f"song.{container}"
    tags = {"title": " Dvě  slova\n", "artist": "Ärtist", keys[0]: "GB-AYE-68-00011", keys[1]: "Lbl"}
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48000, layout="mono")
        for holder in (out.metadata, stream.metadata):
            holder.update(tags)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, "mono", 48000, frame_size=context.frame_size or 4096)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    assert read_tags(path) == Tags(title="Dvě slova", artist="Ärtist", isrc="GB-AYE-68-00011", label="Lbl")


def test_no_tags_and_no_audio(tmp_path):
    (tmp_path / "text.mp3").write_text("hello")
    for path in (tmp_path / "text.mp3", tmp_path / "gone.mp3", tmp_path):
        assert read_tags(path) == Tags()
    assert read_tags(MUSIC[0]).isrc is None
