"""Packs: what went in comes out, by whoever may open it, and nothing that was touched gets in."""

import dataclasses
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage.x25519 import Identity

from earmark.audit import make_key
from earmark.catalog import (
    Layout,
    Revision,
    TrackReader,
    TrackTags,
    catalog_info,
    live_rows,
    open_catalog,
    read_state,
    state_of,
    write_state,
)
from earmark.catalog.lists import decode
from earmark.cli import main
from earmark.errors import (
    AuditError,
    CatalogDamagedError,
    CatalogError,
    CatalogLockedError,
    CatalogVersionError,
    ModelMismatchError,
    PackError,
    PackMismatchError,
    PackTamperedError,
    PackVersionError,
)
from earmark.exchange import check, make_identity, pack, read_any_state, read_identities, read_recipients, unpack
from earmark.exchange.contents import DEFAULT_COLUMNS
from earmark.exchange.pack_file import Header, pack_bytes

from .small_catalog import excerpt, small_catalog
from .synthetic_catalog import MODEL, quantized, sketch, unit_patches, write_catalog

ALL_COLUMNS = ("path", *DEFAULT_COLUMNS, "upc")


def made_catalog(path, n=12, seed=1):
    """A catalog of two segments with silent patches."""
    rng = np.random.default_rng(seed)
    tracks = [(f"t{k:02}", sketch(rng, 5 + k % 4, silent=(1, 3))) for k in range(n)]
    return write_catalog(path, [tracks[: n // 2], tracks[n // 2 :]])


def revise(path, *, add=(), remove=()):
    """Change a catalog: add (tags, sketch), remove ids."""
    with Revision(path, MODEL) as revision:
        numbers = {tags.track_id: number for number, tags, _, _ in live_rows(revision.catalog)}
        for track_id in remove:
            revision.remove(numbers[track_id])
        for tags, one in add:
            revision.add(tags, one)
        revision.commit()


def contents(path, columns=ALL_COLUMNS):
    """All that a catalog says of its tracks, by their ids."""
    catalog = open_catalog(path, MODEL)
    rows = {
        tags.track_id: (*(tags.value(name) for name in columns), samples, content, catalog.words(number).tobytes())
        for number, tags, samples, content in live_rows(catalog)
    }
    catalog.close()
    return rows


def answers(path, queries, k=8):
    """What a search finds: ids, positions and products."""
    catalog = open_catalog(path, MODEL)
    tracks, positions, products = catalog.search(queries, k)
    found = [
        [(catalog.track(int(t)).track_id, int(p), float(x)) for t, p, x in zip(*row, strict=True) if t >= 0]
        for row in zip(tracks, positions, products, strict=True)
    ]
    catalog.close()
    return found


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def keys(tmp_path):
    for name in ("mine", "other"):
        make_key(tmp_path / name)
    for name in ("anna", "ben", "eve"):
        make_identity(tmp_path / name)
    return tmp_path


# Codes and states


def test_codes_go_into_another_catalog_as_they_are(tmp_path, rng):
    patches = unit_patches(rng, 3000)
    patches[::7] = 0
    layout = Layout(exact_below=100, vectors_per_list=20)  # several lists, some of which end in the middle of a block
    one = dataclasses.replace(sketch(rng, 3000), patches=patches)
    catalog = open_catalog(write_catalog(tmp_path / "one", [[("a", one)]], layout), MODEL)
    stored = TrackReader(catalog).read(0).sketch
    catalog.close()
    assert np.array_equal(stored.spoken, patches.any(axis=1))
    assert np.abs(decode(stored.codes, MODEL)[stored.spoken] - quantized(patches[stored.spoken])).max() < 1e-6
    write_catalog(tmp_path / "two", [[("a", stored)]], layout)
    assert segment_files_of(tmp_path / "one") == segment_files_of(tmp_path / "two")


def segment_files_of(catalog):
    return {path.name: path.read_bytes() for path in (catalog / "segments" / "0001").iterdir()}


def test_a_state_survives_its_file_and_no_byte_of_it_may_change(tmp_path):
    catalog = open_catalog(made_catalog(tmp_path / "c"), MODEL)
    state, path = state_of(catalog), tmp_path / "catalog.state"
    catalog.close()
    write_state(path, state)
    assert read_state(path).digest == state.digest
    good = path.read_bytes()
    for at in range(0, len(good), 3):
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        with pytest.raises(CatalogError):
            read_state(path)
    for cut in (0, 5, len(good) - 24, len(good) - 1):
        path.write_bytes(good[:cut])
        with pytest.raises(CatalogError):
            read_state(path)
    path.write_bytes(good.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(CatalogVersionError, match="its version is 2"):
        read_state(path)
    path.write_bytes(good[:-24])
    with pytest.raises(CatalogDamagedError, match="its digest is another"):
        read_state(path)


# What goes in comes out


def test_a_catalog_that_was_packed_and_unpacked_answers_the_same(tmp_path, rng):
    one, two = made_catalog(tmp_path / "one"), tmp_path / "two"
    revise(one, remove=["t03", "t08"])
    report = pack(one, tmp_path / "all.earpack", model=MODEL, columns=ALL_COLUMNS)
    assert (report.header.added, report.header.tracks, report.signer) == (10, 10, None)
    unpacked = unpack(tmp_path / "all.earpack", two, model=MODEL)
    assert (unpacked.n_added, unpacked.n_present, unpacked.n_removed) == (10, 0, 0)
    assert contents(one) == contents(two)
    queries = unit_patches(rng, 40)
    assert answers(one, queries) == answers(two, queries)


def test_matches_in_real_music_are_the_same(tmp_path):
    from earmark.fingerprint import fingerprint
    from earmark.matching import Matcher

    pack(small_catalog(), tmp_path / "all.earpack", model=MODEL)
    unpack(tmp_path / "all.earpack", tmp_path / "two", model=MODEL)
    item = fingerprint([excerpt("azum", sr=8000), excerpt("die-gewalt", sr=8000)], MODEL)
    found = []
    for path in (small_catalog(), tmp_path / "two"):
        catalog = open_catalog(path, MODEL)
        matches = Matcher(catalog, MODEL).match(item)
        found.append([(catalog.track(m.track).track_id, dataclasses.replace(m, track=0)) for m in matches])
        catalog.close()
    assert found[0] == found[1]
    assert {track_id for track_id, _ in found[0]} == {"azum", "azum-again", "die-gewalt"}


def test_only_chosen_columns_and_labels_are_handed_out(tmp_path):
    rng = np.random.default_rng(3)
    path = write_catalog(tmp_path / "c", [[("old", sketch(rng, 4))]])
    secret = TrackTags(track_id="a", path="private/path", title="T", label="A", extra={"upc": "4711", "fee": "99 %"})
    revise(path, add=[(secret, sketch(rng, 4)), (TrackTags(track_id="b", label="B"), sketch(rng, 4))])
    report = pack(path, tmp_path / "a.earpack", model=MODEL, columns=["title", "upc"], labels=["A"])
    data = (tmp_path / "a.earpack").read_bytes()
    assert report.header.tracks == 1
    assert b"4711" in data
    assert not any(word in data for word in (b"private/path", b"99 %", b"old", b"fee"))
    unpack(tmp_path / "a.earpack", tmp_path / "d", model=MODEL)
    assert contents(tmp_path / "d", ("path", "title", "label", "upc", "fee"))["a"][:5] == (
        None,
        "T",
        None,
        "4711",
        None,
    )
    with pytest.raises(PackError, match="has no track of label 'C'; its labels are: 'A', 'B', 'L'"):
        pack(path, tmp_path / "c.earpack", model=MODEL, labels=["C"])
    with pytest.raises(PackError, match="column '_words' cannot be packed"):
        pack(path, tmp_path / "c.earpack", model=MODEL, columns=["_words"])
    assert not list(tmp_path.glob("*c.earpack*"))


def test_a_column_that_no_track_has_is_an_error(tmp_path):
    one = made_catalog(tmp_path / "one")
    with pytest.raises(PackError, match="has no column 'ipc', 'titel'; its columns are: path, isrc, title"):
        pack(one, tmp_path / "p", model=MODEL, columns=["ipc", "titel", "upc"])
    assert not (tmp_path / "p").exists()


def test_the_same_catalog_gives_the_same_pack_and_no_file_is_overwritten(tmp_path, keys):
    path = made_catalog(tmp_path / "c")
    for name in ("one", "two"):
        pack(path, tmp_path / name, model=MODEL, key=keys / "mine")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with pytest.raises(PackError, match="one exists; expected a new file"):
        pack(path, tmp_path / "one", model=MODEL)
    with pytest.raises(PackError, match="cannot be written"):
        pack(path, tmp_path / "nowhere" / "p", model=MODEL)


def test_a_pack_joins_a_catalog_and_a_second_time_changes_nothing(tmp_path):
    one = made_catalog(tmp_path / "one")
    two = write_catalog(tmp_path / "two", [[("own", sketch(np.random.default_rng(9), 6))]])
    pack(one, tmp_path / "p", model=MODEL, columns=ALL_COLUMNS)
    assert unpack(tmp_path / "p", two, model=MODEL).n_added == 12
    assert contents(two).keys() == contents(one).keys() | {"own"}
    before = (two / "manifest.json").read_bytes()
    again = unpack(tmp_path / "p", two, model=MODEL)
    assert (again.n_added, again.n_present) == (0, 12)
    assert (two / "manifest.json").read_bytes() == before


def test_an_id_that_stands_for_something_else_is_refused(tmp_path):
    one, two = made_catalog(tmp_path / "one"), made_catalog(tmp_path / "two", n=4, seed=2)
    pack(one, tmp_path / "p", model=MODEL)
    before = {p: p.read_bytes() for p in two.rglob("*") if p.is_file()}
    with pytest.raises(PackMismatchError, match=r"4 of its track ids are in the catalog with another .*'t00'"):
        unpack(tmp_path / "p", two, model=MODEL)
    assert {p: p.read_bytes() for p in two.rglob("*") if p.is_file() and p.name != "lock"} == {
        p: data for p, data in before.items() if p.name != "lock"
    }


# Changes

EDITS = st.lists(st.tuples(st.sampled_from(["remove", "correct", "replace", "add"]), st.integers(0, 9)), max_size=8)


def apply_edits(path, edits, seed):
    """Change a catalog as a label would; corrections leave the recording as it is."""
    rng = np.random.default_rng(seed)
    for step, (what, which) in enumerate(edits):
        catalog = open_catalog(path, MODEL)
        rows = {tags.track_id: (number, tags) for number, tags, _, _ in live_rows(catalog)}
        ids = sorted(rows)
        if what == "add" or not ids:
            revise(path, add=[(TrackTags(track_id=f"new{seed}-{step}", label="L"), sketch(rng, 4))])
        else:
            number, tags = rows[ids[which % len(ids)]]
            if what == "remove":
                revise(path, remove=[tags.track_id])
            elif what == "replace":
                revise(path, remove=[tags.track_id], add=[(tags, sketch(rng, 4))])
            else:
                same = TrackReader(catalog).read(number).sketch
                revise(path, remove=[tags.track_id], add=[(dataclasses.replace(tags, title=f"T{step}"), same)])
        catalog.close()


@given(first=EDITS, second=EDITS)
@settings(max_examples=12, deadline=None)
def test_packs_of_changes_bring_a_copy_up_to_date(tmp_path_factory, first, second):
    """Changes since a whole pack, then changes since those changes: a copy with tracks of its own ends up the same."""
    root = tmp_path_factory.mktemp("changes")
    one = made_catalog(root / "one", n=6)
    two = write_catalog(root / "two", [[("own", sketch(np.random.default_rng(9), 6))]])
    pack(one, root / "p0", model=MODEL, columns=ALL_COLUMNS)
    unpack(root / "p0", two, model=MODEL)
    for n, edits in enumerate((first, second), 1):
        apply_edits(one, edits, seed=n)
        since = read_any_state(root / f"p{n - 1}", MODEL)
        report = pack(one, root / f"p{n}", model=MODEL, columns=ALL_COLUMNS, since=since)
        done = unpack(root / f"p{n}", two, model=MODEL)
        assert (done.n_added, done.n_corrected) == (report.header.added, report.header.corrected)
        mine = contents(two)
        assert mine.pop("own")
        assert mine == contents(one)
        assert unpack(root / f"p{n}", two, model=MODEL).n_added == 0  # once more


def test_changes_carry_only_what_changed(tmp_path):
    one = made_catalog(tmp_path / "one", n=40)
    pack(one, tmp_path / "all", model=MODEL)
    since = read_any_state(tmp_path / "all", MODEL)
    apply_edits(one, [("add", 0), ("correct", 3), ("remove", 5)], seed=4)
    report = pack(one, tmp_path / "some", model=MODEL, since=since)
    assert (report.header.added, report.header.corrected, report.header.gone) == (1, 1, 1)
    whole = (tmp_path / "all").stat().st_size
    assert report.n_bytes < whole / 5
    assert b"t07" not in (tmp_path / "some").read_bytes()


def test_changes_need_the_state_that_they_are_for(tmp_path):
    one = made_catalog(tmp_path / "one", n=6)
    pack(one, tmp_path / "p0", model=MODEL)
    apply_edits(one, [("add", 0)], seed=1)
    pack(one, tmp_path / "p1", model=MODEL, since=read_any_state(tmp_path / "p0", MODEL))
    apply_edits(one, [("add", 0), ("remove", 0)], seed=2)
    pack(one, tmp_path / "p2", model=MODEL, since=read_any_state(tmp_path / "p1", MODEL))
    unpack(tmp_path / "p0", tmp_path / "two", model=MODEL)
    before = contents(tmp_path / "two")
    with pytest.raises(PackMismatchError, match=r"is for a catalog in state .* 1 of the tracks .* are missing"):
        unpack(tmp_path / "p2", tmp_path / "two", model=MODEL)
    assert contents(tmp_path / "two") == before
    for name in ("p1", "p2"):
        unpack(tmp_path / name, tmp_path / "two", model=MODEL)
    assert contents(tmp_path / "two", DEFAULT_COLUMNS) == contents(one, DEFAULT_COLUMNS)
    with pytest.raises(PackMismatchError, match="are missing or other ones"):
        unpack(tmp_path / "p1", tmp_path / "nothing", model=MODEL)
    assert not (tmp_path / "nothing").exists()


def test_a_new_track_whose_id_the_receiver_uses_for_its_own_is_refused(tmp_path):
    one = made_catalog(tmp_path / "one", n=4)
    pack(one, tmp_path / "p0", model=MODEL)
    unpack(tmp_path / "p0", tmp_path / "two", model=MODEL)
    rng = np.random.default_rng(6)
    revise(tmp_path / "two", add=[(TrackTags(track_id="hit"), sketch(rng, 4))])
    revise(one, add=[(TrackTags(track_id="hit"), sketch(rng, 4))])
    pack(one, tmp_path / "p1", model=MODEL, since=read_any_state(tmp_path / "p0", MODEL))
    before = contents(tmp_path / "two")
    with pytest.raises(PackMismatchError, match=r"1 of its track ids are in the catalog with another .*'hit'"):
        unpack(tmp_path / "p1", tmp_path / "two", model=MODEL)
    assert contents(tmp_path / "two") == before


def test_a_correction_leaves_the_columns_alone_that_a_pack_does_not_have(tmp_path):
    rng, one, two = np.random.default_rng(5), tmp_path / "one", tmp_path / "two"
    mine = sketch(rng, 4)
    write_catalog(one, [[("x", sketch(rng, 4))]])
    revise(one, add=[(TrackTags(track_id="a", title="Old", label="A"), mine)])
    pack(one, tmp_path / "p0", model=MODEL, columns=["title"], labels=["A"])
    unpack(tmp_path / "p0", two, model=MODEL)
    catalog = open_catalog(two, MODEL)
    catalog.close()
    theirs = TrackTags(track_id="a", title="Old", rightsholder="Us", extra={"shelf": "7"})
    revise(two, remove=["a"], add=[(theirs, mine)])
    revise(one, remove=["a"], add=[(TrackTags(track_id="a", title="New", label="A"), mine)])
    since = read_any_state(tmp_path / "p0", MODEL)
    pack(one, tmp_path / "p1", model=MODEL, columns=["title"], labels=["A"], since=since)
    assert unpack(tmp_path / "p1", two, model=MODEL).n_corrected == 1
    assert contents(two, ("title", "rightsholder", "shelf"))["a"][:3] == ("New", "Us", "7")


def test_states_of_another_kind_are_refused(tmp_path):
    one = made_catalog(tmp_path / "one")
    pack(one, tmp_path / "p", model=MODEL, columns=["title"])
    since = read_any_state(tmp_path / "p", MODEL)
    with pytest.raises(PackMismatchError, match="the earlier state has columns title; asked for are isrc"):
        pack(one, tmp_path / "q", model=MODEL, since=since)
    with pytest.raises(PackMismatchError, match="nothing of it can stay"):
        pack(one, tmp_path / "q", model=MODEL, since=dataclasses.replace(since, model_digest="0" * 64))
    copy = shutil.copytree(one, tmp_path / "copy")
    assert read_any_state(Path(copy), MODEL, columns=("title",)).digest == since.digest
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(PackError, match="no pack; expected a file that `earmark catalog pack` wrote"):
        read_any_state(tmp_path / "text", MODEL)
    with pytest.raises(CatalogError, match="no catalog"):
        read_any_state(tmp_path, MODEL)


# Keys


def test_each_recipient_alone_opens_a_pack_and_nobody_else(tmp_path, keys):
    one = made_catalog(tmp_path / "one")
    recipients = [read_recipients(str(keys / "anna.pub"))[0], *read_recipients((keys / "ben.pub").read_text().strip())]
    report = pack(one, tmp_path / "p", model=MODEL, key=keys / "mine", recipients=recipients)
    assert b"earmark pack" not in (tmp_path / "p").read_bytes()
    for name in ("anna", "ben"):
        identities = read_identities(keys / name)
        verified = check(tmp_path / "p", public_key=keys / "mine.pub", identities=identities)
        assert verified.signer == report.signer
        unpack(tmp_path / "p", tmp_path / f"for-{name}", model=MODEL, identities=identities)
        assert contents(tmp_path / f"for-{name}", DEFAULT_COLUMNS) == contents(one, DEFAULT_COLUMNS)
        assert read_any_state(tmp_path / "p", MODEL, identities=identities).digest == report.header.state
    with pytest.raises(PackError, match="is encrypted for others"):
        check(tmp_path / "p", identities=read_identities(keys / "eve"))
    with pytest.raises(PackError, match="is encrypted; give the private key of a recipient with --identity"):
        check(tmp_path / "p")
    assert check(tmp_path / "p", identities=[Identity.generate(), *read_identities(keys / "anna")])


def test_the_signature_must_be_that_of_who_is_expected(tmp_path, keys):
    one = made_catalog(tmp_path / "one")
    pack(one, tmp_path / "signed", model=MODEL, key=keys / "mine")
    pack(one, tmp_path / "unsigned", model=MODEL)
    assert check(tmp_path / "unsigned").signer is None
    assert check(tmp_path / "signed", public_key=keys / "mine.pub").signer is not None
    with pytest.raises(PackTamperedError, match=r"is signed by .*; expected the signature of"):
        check(tmp_path / "signed", public_key=keys / "other.pub")
    with pytest.raises(PackTamperedError, match="is not signed; expected the signature of"):
        unpack(tmp_path / "unsigned", tmp_path / "two", model=MODEL, public_key=keys / "mine.pub")
    assert not (tmp_path / "two").exists()
    with pytest.raises(AuditError, match="no public key"):
        check(tmp_path / "signed", public_key=keys / "anna.pub")


def test_keys_that_are_none_are_refused_without_showing_them(tmp_path, keys, caplog):
    with pytest.raises(PackError, match="anna exists; expected a new file"):
        make_identity(keys / "anna")
    (tmp_path / "bad").write_text("AGE-SECRET-KEY-1NOSUCHKEY\n")
    with pytest.raises(PackError, match="bad, line 1: no private key for encryption") as error:
        read_identities(tmp_path / "bad")
    assert "NOSUCH" not in str(error.value)
    (tmp_path / "none").write_text("# only words\n\n")
    with pytest.raises(PackError, match="no private key in it"):
        read_identities(tmp_path / "none")
    with pytest.raises(PackError, match="no public key in it"):
        read_recipients(str(tmp_path / "none"))
    with pytest.raises(PackError, match="age1nothing: no public key for encryption"):
        read_recipients("age1nothing")
    with pytest.raises(PackError, match="expected a file of keys"):
        read_recipients(str(tmp_path / "missing"))
    assert (keys / "anna").stat().st_mode & 0o777 == 0o600
    (keys / "anna").chmod(0o644)
    read_identities(keys / "anna")
    assert "others can read this private key" in caplog.text


# Tampering


@pytest.fixture(scope="module")
def good_packs(tmp_path_factory):
    """Signed packs, in the clear and encrypted, and another of each to splice with; and the identity."""
    root = tmp_path_factory.mktemp("good")
    make_key(root / "mine")
    make_identity(root / "anna")
    recipients = read_recipients(str(root / "anna.pub"))
    for n in (1, 2):
        made_catalog(root / f"c{n}", seed=n)
        pack(root / f"c{n}", root / f"clear{n}", model=MODEL, key=root / "mine")
        pack(root / f"c{n}", root / f"sealed{n}", model=MODEL, key=root / "mine", recipients=recipients)
    return root


def refused(root, data, where, **options):
    """Whether a pack of these bytes gets in, or leaves anything behind."""
    (where / "p").write_bytes(data)
    with pytest.raises(PackError):
        unpack(where / "p", where / "c", model=MODEL, public_key=root / "mine.pub", **options)
    return not (where / "c").exists()


def options_of(root, kind):
    return {"identities": read_identities(root / "anna")} if kind == "sealed" else {}


@pytest.mark.parametrize("kind", ["clear", "sealed"])
def test_a_changed_byte_anywhere_is_refused(tmp_path, good_packs, kind):
    data, options = (good_packs / f"{kind}1").read_bytes(), options_of(good_packs, kind)
    dice = random.Random(7)
    for at in sorted({*range(0, 400, 9), *range(len(data) - 2000, len(data), 41), *dice.sample(range(len(data)), 60)}):
        changed = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        assert refused(good_packs, changed, tmp_path, **options), at


@pytest.mark.long
@pytest.mark.parametrize("kind", ["clear", "sealed"])
def test_a_changed_byte_at_every_place_is_refused(tmp_path, good_packs, kind):
    data, options = (good_packs / f"{kind}1").read_bytes(), options_of(good_packs, kind)
    for at in range(len(data)):
        assert refused(good_packs, data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :], tmp_path, **options), at


@pytest.mark.parametrize("kind", ["clear", "sealed"])
def test_a_pack_cut_short_or_grown_is_refused(tmp_path, good_packs, kind):
    data, other = ((good_packs / f"{kind}{n}").read_bytes() for n in (1, 2))
    options = options_of(good_packs, kind)
    for cut in (0, 1, 20, 300, len(data) // 2, len(data) - 700, len(data) - 1):
        assert refused(good_packs, data[:cut], tmp_path, **options), cut
    for added in (b"\n", b"\0" * 100, data, other):
        assert refused(good_packs, data + added, tmp_path, **options)
    assert refused(good_packs, data[len(data) // 2 :], tmp_path, **options)


def test_parts_in_another_order_or_of_another_pack_are_refused(tmp_path, good_packs):
    data, other = ((good_packs / f"clear{n}").read_bytes() for n in (1, 2))

    def cut(pack_data):
        lines, rest = [], pack_data
        for _ in range(2):
            line, _, rest = rest.partition(b"\n")
            lines.append(line + b"\n")
        while rest.startswith(b'{"bytes":'):
            head, _, after = rest.partition(b"\n")
            size = int(head.split(b":")[1].split(b",")[0])
            lines.append(head + b"\n" + after[:size])
            rest = after[size:]
        return [*lines, rest]

    mine, theirs = cut(data), cut(other)
    assert b"".join(mine) == data
    assert len(mine) == 5  # first line, header, state, tracks, end
    for k in range(1, len(mine)):
        assert refused(good_packs, b"".join([*mine[:k], theirs[k], *mine[k + 1 :]]), tmp_path)
        if k > 1:  # all but the first line is the other pack itself
            assert refused(good_packs, b"".join([*mine[:k], *theirs[k:]]), tmp_path)
        assert refused(good_packs, b"".join([*mine[:k], *mine[k + 1 :]]), tmp_path)
        assert refused(good_packs, b"".join([*mine[:k], mine[k], *mine[k:]]), tmp_path)
    assert refused(good_packs, b"".join([*mine[:2], mine[3], mine[2], mine[4]]), tmp_path)


def test_pieces_of_encrypted_packs_cannot_be_joined_or_swapped(tmp_path, good_packs):
    one, two = ((good_packs / f"sealed{n}").read_bytes() for n in (1, 2))
    options, piece = options_of(good_packs, "sealed"), 16 + (64 << 10)
    body = [data.index(b"\n--- ") + 49 + 16 for data in (one, two)]  # the header's last line; a nonce
    assert refused(good_packs, one[: body[0]] + two[body[1] :], tmp_path, **options)
    assert refused(good_packs, one[: body[0] - 16] + two[body[1] - 16 :], tmp_path, **options)
    big = tmp_path / "big"
    made_catalog(big, n=120)
    pack(big, tmp_path / "sealed", model=MODEL, recipients=read_recipients(str(good_packs / "anna.pub")))
    data = (tmp_path / "sealed").read_bytes()
    start = data.index(b"\n--- ") + 49 + 16
    first, second = data[start : start + piece], data[start + piece : start + 2 * piece]
    assert len(second) == piece
    swapped = data[:start] + second + first + data[start + 2 * piece :]
    (tmp_path / "p").write_bytes(swapped)
    with pytest.raises(PackTamperedError, match="not as it was encrypted"):
        check(tmp_path / "p", **options)


def test_a_pack_whose_sender_wrote_nonsense_is_refused(tmp_path):
    """Whole and signed by nobody: what anyone can write."""
    one = made_catalog(tmp_path / "one")
    good = pack(one, tmp_path / "good", model=MODEL).header
    state = b"".join(p for name, p in _parts_of(tmp_path / "good") if name == "state")
    tracks = b"".join(p for name, p in _parts_of(tmp_path / "good") if name == "tracks")
    for parts, words in (
        ([], "it has no list of its tracks"),
        ([("state", state)], "12 tracks are not in it"),
        ([("state", state[:-24]), ("tracks", tracks)], "its list of tracks is another than it says"),
        ([("state", state[:-1])], "expected 24 for each track"),
        ([("state", state), ("tracks", tracks), ("tracks", tracks)], "comes twice"),
        ([("tracks", tracks), ("state", state)], "part 'tracks' where none is expected"),
        ([("state", state), ("tracks", tracks[:-9])], "a table of tracks of another form"),
        ([("state", state), ("tracks", b"PAR1PAR1")], "a table of tracks of another form"),
        ([("state", state), ("songs", b"")], "part 'songs' where none is expected"),
    ):
        (tmp_path / "p").write_bytes(b"".join(pack_bytes(good, parts, None)))
        with pytest.raises(PackTamperedError, match=words):
            unpack(tmp_path / "p", tmp_path / "two", model=MODEL)
        assert not (tmp_path / "two").exists()


def _parts_of(path):
    from earmark.exchange.pack_file import PackReader

    with path.open("rb") as file:
        yield from PackReader(path, iter(lambda: file.read(1000), b"")).parts()


def test_other_versions_and_models_are_refused(tmp_path):
    one = made_catalog(tmp_path / "one")
    header = pack(one, tmp_path / "good", model=MODEL).header
    data = (tmp_path / "good").read_bytes()
    (tmp_path / "later").write_bytes(data.replace(b"earmark pack 1", b"earmark pack 2", 1))
    with pytest.raises(PackVersionError, match="is earmark pack 2; this version of Earmark reads 1"):
        check(tmp_path / "later")
    other: Header = dataclasses.replace(header, model_digest="1" * 64)
    (tmp_path / "other").write_bytes(b"".join(pack_bytes(other, [], None)))
    with pytest.raises(ModelMismatchError, match="made with model 1111"):
        unpack(tmp_path / "other", tmp_path / "two", model=MODEL)
    with pytest.raises(PackError, match="expected a pack"):
        check(tmp_path / "missing")


# Whatever happens


def test_what_fails_in_the_middle_changes_nothing(tmp_path, monkeypatch):
    one, two = made_catalog(tmp_path / "one"), made_catalog(tmp_path / "two", n=2, seed=5)
    revise(two, remove=["t00", "t01"])
    pack(one, tmp_path / "p", model=MODEL)
    before = (two / "manifest.json").read_bytes()

    def stop_at_nine(at):
        if at.unit == "tracks":
            assert at.n_total == 12
            if at.n_done == 9:
                raise KeyboardInterrupt

    for target in (two, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            unpack(tmp_path / "p", target, model=MODEL, on_progress=stop_at_nine)
    assert (two / "manifest.json").read_bytes() == before
    assert not list(two.rglob("*.partial"))
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyboardInterrupt):
        pack(one, tmp_path / "q", model=MODEL, on_progress=stop_at_nine)
    assert not list(tmp_path.glob("*q*"))


def test_a_pack_that_changes_between_its_two_readings_is_refused(tmp_path):
    one = made_catalog(tmp_path / "one")
    pack(one, tmp_path / "p", model=MODEL)
    data = (tmp_path / "p").read_bytes()

    def change(n_done, n_all):
        with (tmp_path / "p").open("r+b") as file:
            file.seek(len(data) - 80)
            file.write(b"0" * 10)

    # Small packs are read in one piece: what follows the change is in memory already, so the file is changed before.
    from earmark.exchange import unpacking

    verified = check(tmp_path / "p")
    change(0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "check", lambda *_, **__: verified)
        with pytest.raises(PackTamperedError, match="not those that were written"):
            unpack(tmp_path / "p", tmp_path / "two", model=MODEL)
    assert not (tmp_path / "two").exists()


def test_one_writer_at_a_time(tmp_path):
    one = made_catalog(tmp_path / "one")
    pack(one, tmp_path / "p", model=MODEL)
    with Revision(one, MODEL), pytest.raises(CatalogLockedError):
        unpack(tmp_path / "p", one, model=MODEL)
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "photo.jpg").write_bytes(b"x")
    with pytest.raises(CatalogError, match="holds other things"):
        unpack(tmp_path / "p", tmp_path / "things", model=MODEL)
    assert [each.name for each in (tmp_path / "things").iterdir()] == ["photo.jpg"]


def test_the_commands_do_it_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = made_catalog(tmp_path / "one")

    def run_earmark(*words):
        return CliRunner().invoke(main, list(map(str, words)))

    for words in (["keys", "new", "my.key"], ["keys", "new", "age.key", "--kind", "encryption"]):
        assert run_earmark(*words).exit_code == 0
    done = run_earmark("catalog", "pack", one, "all.earpack", "--sign", "my.key", "--recipient", "age.key.pub")
    assert done.exit_code == 0, done.stderr
    assert "12 tracks" in done.stdout
    trust = ["--public-key", "my.key.pub", "--identity", "age.key"]
    assert run_earmark("catalog", "unpack", "all.earpack", *trust).stdout.startswith("tracks     12 tracks")
    refusal = run_earmark("catalog", "unpack", "all.earpack", "two")
    assert refusal.exit_code == 2
    assert "is encrypted; give the private key" in refusal.stderr
    assert not Path("two").exists()
    done = run_earmark("catalog", "unpack", "all.earpack", "two", *trust)
    assert "12 tracks added to two" in done.stdout, done.stderr
    assert catalog_info(Path("two")).n_tracks == 12
    revise(one, remove=["t02"])
    since = ["--since", "all.earpack", "--identity", "age.key", "--sign", "my.key"]
    assert "1 gone" in run_earmark("catalog", "pack", one, "some.earpack", *since).stdout
    assert "1 removed or replaced" in run_earmark("catalog", "unpack", "some.earpack", "two", *trust[:2]).stdout
    assert catalog_info(Path("two")).n_tracks == 11
