"""The audio reader on bad files: every one is named, none crashes it, and what could be heard is given first."""

import io
import os
import struct
import threading

import av
import numpy as np
import pytest
import soundfile

from earmark.audio import SAMPLE_RATE, load, stream
from earmark.errors import AudioError, TruncatedAudioError, UnreadableAudioError

from .encoded import KINDS, MUSIC, RATE, encoded_music, music


@pytest.fixture(autouse=True)
def nothing_on_stderr(capfd):
    """Neither library may print.

    What cannot be kept from it is mpg123 inside libsndfile, about a frame whose header is sound and whose contents
    are damaged.
    """
    yield
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("[src/libmpg123/layer3.c")] == []


def wav(y, rate=SAMPLE_RATE, subtype="FLOAT"):
    written = io.BytesIO()
    soundfile.write(written, y, rate, format="WAV", subtype=subtype)
    return written.getvalue()


def heard(source):
    """Return the samples given before the error, and the error."""
    chunks = []
    with stream(source, name="bad") as recording:
        try:
            chunks.extend(recording)
        except TruncatedAudioError as error:
            return np.concatenate(chunks), str(error), recording
    pytest.fail("no alarm")


def unreadable(source):
    with pytest.raises(UnreadableAudioError) as error:
        stream(source)
    return str(error.value)


# A moov atom at the end is lost with the end: nothing can be decoded.
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"m4a", "m4a-alac"}))
@pytest.mark.parametrize("share", [0.35, 0.601, 0.87])
def test_a_cut_file_gives_its_start_and_says_so(kind, share):
    data = encoded_music(kind)
    whole = load(data)
    y, message, recording = heard(data[: int(len(data) * share)])
    assert message.startswith("bad: stops after ")
    # Ogg pages and Matroska clusters hold a second or more.
    assert share * 8 - 2.5 < len(y) / SAMPLE_RATE < share * 8 + 1.0
    assert len(y) / SAMPLE_RATE == pytest.approx(recording.decoded_s, abs=1e-3)
    same = len(y) - SAMPLE_RATE // 10
    assert np.abs(y[:same] - whole[:same]).max() < 1e-3


@pytest.mark.parametrize("kind", ["m4a", "m4a-alac"])
def test_an_m4a_without_its_index_is_unreadable(kind):
    data = encoded_music(kind)
    assert "moov atom not found" in unreadable(data[: len(data) // 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_bytes", [1, 12, 45, 200])
def test_the_first_bytes_of_a_file_alone(kind, n_bytes):
    data = encoded_music(kind)[:n_bytes]
    if (kind, n_bytes) == ("flac-stream", 45):  # a whole header that leaves the length open
        assert len(load(data)) == 0
    else:
        with pytest.raises(AudioError, match=r"^bad: "):
            load(data, name="bad")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), bytes(3000)], ids=["id3v1", "zeros"])
def test_what_tools_append_is_no_alarm(kind, tail):
    if kind == "ac3":
        pytest.skip("raw AC-3 has no length, and FFmpeg says the same of a tag as of a damaged frame")
    data = encoded_music(kind)
    assert len(load(data + tail)) == pytest.approx(len(load(data)), abs=SAMPLE_RATE // 10)


@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "vorbis", "opus", "flac", "aac", "webm", "wma"])
@pytest.mark.parametrize("seed", range(4))
def test_garbage_in_the_middle_loses_little(kind, seed):
    data = bytearray(encoded_music(kind))
    rng = np.random.default_rng(seed)
    at = len(data) // 2 + int(rng.integers(5000))
    data[at : at + 1000] = rng.bytes(1000)
    n_samples = 0
    try:
        with stream(bytes(data)) as recording:
            for y in recording:
                n_samples += len(y)
    except TruncatedAudioError:
        pass  # an Ogg page or a Matroska block that held more than half a second
    assert n_samples > 6.4 * SAMPLE_RATE


@pytest.mark.parametrize("kind", ["mp3", "mp3-bare", "vorbis", "opus", "flac", "aac", "m4a", "webm", "wma", "wav"])
def test_scattered_damage_ends_in_audio_or_an_error_of_ours(kind):
    rng = np.random.default_rng(5)
    for _ in range(4):
        data = np.frombuffer(encoded_music(kind), dtype=np.uint8).copy()
        hit = rng.integers(0, len(data), 40)
        data[hit] = rng.integers(0, 256, 40)
        try:
            y = load(data.tobytes())
        except AudioError:
            continue
        assert np.isfinite(y).all()


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes(seed):
    rng = np.random.default_rng(seed)
    start = [b"", b"\xff\xfb\x90\x00", b"ID3\x04\0\0\0\0\x01\0", b"OggS\0\x02", b"\xff\xf1\x50\x80", b"RIFF"][seed % 6]
    with pytest.raises(AudioError):
        load(start + rng.bytes(50_000))


def test_a_text_file_named_mp3(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_text("Hello, this is no music.\n" * 100)
    message = unreadable(path)
    assert message.startswith(f"{path}: not audio, or too damaged: starts with b'Hello, this is ")
    assert "libsndfile: Format not recognised" in message
    assert "FFmpeg: " in message


def test_playlists_open_no_other_file(tmp_path):
    (tmp_path / "song.wav").write_bytes(encoded_music("wav"))
    for name, text in [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\nsong.wav\n#EXT-X-ENDLIST\n"),
        ("a.ffconcat", "ffconcat version 1.0\nfile song.wav\n"),
        ("a.sdp", "v=0\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"),
    ]:
        (tmp_path / name).write_text(text)
        unreadable(tmp_path / name)


def test_nothing_to_read(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "dir.mp3").mkdir()
    (tmp_path / "dangling.mp3").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.wav")
    assert unreadable(b"") == "<bytes>: empty file"
    assert unreadable(tmp_path / "empty.wav").endswith("empty.wav: empty file")
    assert unreadable(tmp_path / "dir.mp3").endswith("dir.mp3: is a directory")
    assert unreadable(tmp_path / "dangling.mp3").endswith("dangling.mp3: No such file or directory")
    assert unreadable(tmp_path / "missing.mp3").endswith("missing.mp3: No such file or directory")
    assert "fifo.wav: is a FIFO" in unreadable(tmp_path / "fifo.wav")
    assert "null" in unreadable("a\0b.wav")


@pytest.mark.parametrize(
    "name", [b"new\nline.mp3", b"qu'o\"te.mp3", b"bad\xff\xfe.mp3", b"percent%s.mp3", b"file:x.mp3"]
)
def test_strange_names(name, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 - bytes
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(encoded_music("mp3"))
    as_text = os.fsdecode(path)
    assert len(load(as_text)) == 8 * SAMPLE_RATE
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"no music")
    message = unreadable(as_text)
    assert message.encode("utf-8").isascii() or "\n" not in message
    assert "\n" not in message


def test_a_video_without_sound():
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as out:
        video = out.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        out.mux(video.encode(None))
    assert "no audio stream (streams: video)" in unreadable(written.getvalue())


def test_silence_and_dc():
    assert not load(wav(np.zeros((RATE, 2)), RATE)).any()
    dc = load(wav(np.full(RATE, 0.25), RATE))
    assert np.abs(dc[200:-200] - 0.25).max() < 1e-3


def test_values_that_are_not_finite_count_as_silence():
    y = np.full((4000, 2), 0.5, dtype=np.float32)
    y[10, 0], y[11, 1], y[12] = np.nan, np.inf, -np.inf
    with stream(wav(y)) as recording:
        (mono,) = list(recording)
    assert recording.n_nonfinite == 4
    assert mono[9:14].tolist() == [0.5, 0.25, 0.25, 0.0, 0.5]
    assert load(wav(np.full(100, np.nan))).tolist() == [0.0] * 100


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_huge_values_are_clipped_to_a_million(subtype):
    y = load(wav(np.array([0.5, 1e30, -1e30, 3e38 if subtype == "FLOAT" else 1e300, 2.0]), subtype=subtype))
    # A double beyond float32 becomes infinite, and so silence.
    assert y.tolist() == [0.5, 1e6, -1e6, 1e6 if subtype == "FLOAT" else 0.0, 2.0]
    loud = load(wav(np.tile(np.float32([3e38, 3e38]), (RATE, 4)), RATE))
    assert np.isfinite(loud).all()


@pytest.mark.parametrize("rate", [4000, 8000, 44100, 192000])
def test_one_sample_and_none(rate):
    assert len(load(wav(np.array([0.5]), rate))) <= 2
    with stream(wav(np.zeros(0), rate)) as recording:
        assert list(recording) == []
    assert (recording.decoded_s, recording.declared_s) == (0.0, 0.0)


@pytest.mark.parametrize("rate", [0, 1, 999, 2_000_000, 2**31 - 1, 2**32 - 1])
def test_an_absurd_sample_rate(rate):
    data = bytearray(wav(np.zeros(4000), subtype="PCM_16"))
    struct.pack_into("<I", data, 24, rate)
    assert "Hz" in unreadable(bytes(data)) or rate in (0, 2**32 - 1)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF])
def test_a_wav_from_a_pipe_that_could_not_write_its_size(size):
    y = np.linspace(-0.5, 0.5, 40_000)
    data = bytearray(wav(y, subtype="PCM_16"))
    struct.pack_into("<I", data, 40, size)
    struct.pack_into("<I", data, 4, size)
    assert np.abs(load(bytes(data)) - y).max() < 1e-4


def test_a_wav_that_counts_its_header_as_samples():
    data = bytearray(wav(np.zeros(4000), subtype="PCM_16"))
    struct.pack_into("<I", data, 40, 8000 + 44)
    assert len(load(bytes(data))) == 4000


def test_an_ogg_whose_last_page_is_not_marked_as_the_last_is_no_alarm():
    # Two of the 3,182 Ogg files that we develop on are like that, from their encoder.
    data = bytearray(encoded_music("vorbis"))
    last = data.rindex(b"OggS")
    data = data[:last]
    with stream(bytes(data)) as recording:
        assert sum(map(len, recording)) > 6 * SAMPLE_RATE
    assert recording.declared_s is None


def test_a_chain_of_two_sample_rates_is_not_passed_off_as_whole():
    other = io.BytesIO()
    soundfile.write(other, music()[::2, 0], RATE // 2, format="OGG", subtype="VORBIS")
    y, _, _ = heard(encoded_music("vorbis") + other.getvalue())
    assert len(y) == 8 * SAMPLE_RATE


class Failing(io.BytesIO):
    """A file on a disk that fails, or a terminal on which Ctrl-C is hit, at a given byte."""

    def __init__(self, data, at, error):
        super().__init__(data)
        self.at, self.error = at, error

    def read(self, size=-1):
        if self.tell() + max(size, 0) > self.at:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a"])
def test_a_read_error_is_told_in_the_systems_words(kind):
    data = encoded_music(kind)
    with pytest.raises(AudioError, match="Input/output error") as error:
        load(Failing(data, len(data) // 2, OSError(5, "Input/output error")))
    assert error.value.__cause__ is not None


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac"])
def test_ctrl_c_inside_a_callback_gets_out(kind):
    data = encoded_music(kind)
    with pytest.raises(KeyboardInterrupt):
        load(Failing(data, len(data) // 2, KeyboardInterrupt()))


def test_threads_do_not_disturb_each_other():
    sources = [encoded_music(kind) for kind in ("mp3-bare", "aac", "vorbis", "webm")] * 2
    alone = [load(source) for source in sources]
    together = [None] * len(sources)

    def work(i):
        together[i] = load(sources[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(sources))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_recording_with_a_lying_name_is_judged_by_its_content(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(MUSIC[0].read_bytes())
    with stream(path) as recording:
        assert recording.codec == "ogg/opus"


def test_a_stream_that_comes_up_behind_the_head_is_no_trouble():
    """PyAV looks for it in its list of streams, which is as long as the head said."""
    data, picture = encoded_music("flv"), b"\x12" + bytes(60)
    size = len(picture)
    tag = b"\x09" + size.to_bytes(3, "big") + bytes(7) + picture + (11 + size).to_bytes(4, "big")
    np.testing.assert_array_equal(load(data + tag), load(data))
