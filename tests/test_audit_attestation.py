"""Attestations of a real scan, checked by openssl too; time stamps of a real authority; proofs; the redacted folder."""

import base64
import dataclasses
import json
import shutil
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from earmark.audit import (
    attach_timestamp,
    attest,
    make_key,
    prove_consistency,
    prove_item,
    read_authorities,
    read_public_key,
    verify,
    write_log,
    write_redacted,
)
from earmark.audit.attestation import attestation_faults, read_attestation
from earmark.audit.checking import LogCheck
from earmark.audit.merkle import leaf_hash
from earmark.audit.record import Chain, canonical_json, hidden_line
from earmark.errors import AuditError, TamperedError

from .audited_scan import ITEMS, MATCHED, audited_scan, copy_of_scan
from .small_catalog import rows, run_earmark
from .test_audit_log import go_on, stopped

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def key(tmp_path):
    make_key(tmp_path / "my.key")
    return tmp_path / "my.key"


@pytest.fixture
def signed(tmp_path, key):
    folder = copy_of_scan(tmp_path / "scan")
    attest(folder, key)
    return folder


@pytest.fixture
def public(key):
    return read_public_key(key.with_name("my.key.pub"))


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options)


# Keys


def test_a_private_key_is_for_its_owner_alone(tmp_path):
    public, fingerprint = make_key(tmp_path / "my.key")
    assert stat.S_IMODE((tmp_path / "my.key").stat().st_mode) == 0o600
    assert public == tmp_path / "my.key.pub"
    assert len(fingerprint) == 64
    with pytest.raises(AuditError, match=r"my\.key exists; expected a new file"):
        make_key(tmp_path / "my.key")
    (tmp_path / "other.key.pub").touch()
    with pytest.raises(AuditError, match=r"other\.key\.pub exists; expected a new file"):
        make_key(tmp_path / "other.key")
    assert not (tmp_path / "other.key").exists()


def test_a_key_that_others_can_read_is_told(tmp_path, key, caplog):
    key.chmod(0o640)
    attest(copy_of_scan(tmp_path / "scan"), key)
    assert "others can read this private key" in caplog.text
    assert key.read_text().splitlines()[1] not in caplog.text


def other_kind_of_key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"", "no private key in PEM form"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key in PEM form"),
        (
            lambda: other_kind_of_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "another kind; expected Ed25519",
        ),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, make, words):
    (tmp_path / "bad.key").write_bytes(make())
    with pytest.raises(AuditError, match=rf"bad\.key: .*{words}"):
        attest(audited_scan(), tmp_path / "bad.key")
    with pytest.raises(AuditError, match=r"bad\.key: no public key in PEM form"):
        read_public_key(tmp_path / "bad.key")


def test_a_public_key_of_another_kind_is_refused(tmp_path):
    pem = other_kind_of_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "bad.pub").write_bytes(pem)
    with pytest.raises(AuditError, match=r"bad\.pub: a key of another kind"):
        read_public_key(tmp_path / "bad.pub")


# Signatures


def test_an_attestation_is_an_in_toto_statement_about_the_files(signed):
    envelope = json.loads((signed / "attestation.json").read_bytes())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digests = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert digests.keys() == {"audit.jsonl", "items.jsonl", "matches.jsonl", "summary.json"}
    for name, digest in digests.items():
        output = subprocess.run(["sha256sum", signed / name], check=True, capture_output=True, text=True).stdout
        assert output.split()[0] == digest


@needs_openssl
def test_openssl_agrees_with_the_signature(tmp_path, signed, key):
    envelope = json.loads((signed / "attestation.json").read_bytes())
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    # DSSE's encoding of what is signed, by its specification.
    (tmp_path / "pae").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    check = ["pkeyutl", "-verify", "-pubin", "-inkey", f"{key}.pub", "-rawin", "-in", tmp_path / "pae"]
    assert b"Verified Successfully" in openssl(*check, "-sigfile", tmp_path / "sig").stdout


def test_signing_again_gives_the_same_bytes(signed, key):
    before = (signed / "attestation.json").read_bytes()
    attest(signed, key)
    assert (signed / "attestation.json").read_bytes() == before


def test_a_signed_scan_verifies_with_and_without_the_key(signed, public):
    found = verify(signed, public_key=public)
    assert found.faults == ()
    assert any("signed with the key given" in note for note in found.notes)
    found = verify(signed)
    assert found.faults == ()
    assert any("compare it, or give --public-key" in note for note in found.notes)


def test_another_key_is_told(tmp_path, signed, public):
    make_key(tmp_path / "forger.key")
    (signed / "attestation.json").unlink()
    attest(signed, tmp_path / "forger.key")
    (fault,) = verify(signed, public_key=public).faults
    assert fault.startswith("attestation.json: signed with key ")


def test_a_missing_attestation_is_told_to_who_gives_a_key(signed, public):
    (signed / "attestation.json").unlink()
    assert verify(signed, public_key=public).faults == ("attestation.json was removed or never made",)
    assert verify(signed).faults == ()


def test_no_byte_of_an_attestation_can_be_changed(signed, public):
    data = (signed / "attestation.json").read_bytes()
    for at in range(0, len(data), 13):
        for changed in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], data[:at] + data[at + 1 :]):
            (signed / "attestation.json").write_bytes(changed)
            (fault,) = verify(signed, public_key=public).faults
            assert fault.startswith("attestation.json was changed"), at
    for changed in (data + b"\n", b" " + data, data[:-1], b"", b"[]\n"):
        (signed / "attestation.json").write_bytes(changed)
        (fault,) = verify(signed).faults
        assert fault.startswith("attestation.json was changed")


def rewrite(folder, name, old, new):
    """Change a file and make a whole new log that agrees with it, as whoever can write to the folder could."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    (folder / "audit.jsonl").unlink()
    write_log(folder)


def test_a_log_made_anew_does_not_fit_the_signature(signed):
    rewrite(signed, "items.jsonl", '"status": "unlicensed"', '"status": "licensed"')
    # The record of each item gets another salt, so the first of them is the first line that differs.
    assert verify(signed).faults == (
        "audit.jsonl, line 2 is not the one that was signed, and all after it were made to fit",
    )


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("change", ["changed", "removed", "added"])
def test_the_first_line_is_named_where_all_after_it_were_made_to_fit(signed, number, change):
    """Whoever can write to the folder and knows how logs are made still cannot hide where the change begins."""
    lines = [json.loads(line) for line in (signed / "audit.jsonl").read_bytes().splitlines()]
    if change == "changed":
        lines[number - 1]["more"] = 1
    elif change == "removed":
        del lines[number - 1]
    else:
        lines.insert(number - 1, {"kind": "item"})
    check, chain = LogCheck(), Chain()
    for line in lines:
        content = {key: value for key, value in line.items() if key not in ("kind", "line", "prev")}
        check.leaves += leaf_hash(chain.line(line["kind"], content))
    (fault,) = attestation_faults(read_attestation(signed / "attestation.json"), check)
    if (change, number) == ("removed", 10):
        assert fault == "audit.jsonl, line 10 was removed: 10 lines were signed"
    else:
        assert fault.startswith(f"audit.jsonl, line {number} is not the one that was signed")


def test_an_attestation_without_marks_names_a_range(signed):
    attestation = dataclasses.replace(read_attestation(signed / "attestation.json"), marks="")
    check = LogCheck()
    check.leaves += bytes(32 * 10)
    assert attestation_faults(attestation, check) == (
        "audit.jsonl, line 1 or one up to line 10 is not the one that was signed, and all after it were made to fit",
    )


def test_the_last_line_of_a_log_is_signed_too(signed):
    lines = (signed / "audit.jsonl").read_bytes().splitlines(keepends=True)
    end, summary = json.loads(lines[-1]), json.loads((signed / "summary.json").read_text())
    assert end["finished"] == summary["finished"]
    lines[-1] = canonical_json(end | {"finished": "2020-01-01T00:00:00.000Z"}) + b"\n"
    (signed / "audit.jsonl").write_bytes(b"".join(lines))
    faults = verify(signed).faults
    assert [fault[:27] for fault in faults] == ["audit.jsonl, line 10 was ch"]


def test_a_whole_further_run_is_told(signed):
    write_log(signed)
    assert verify(signed).faults == (
        "audit.jsonl, line 11 was added after the signature; attest again if you resumed the scan",
    )


def test_a_log_cut_back_to_an_earlier_run_is_told(tmp_path, key):
    folder = stopped(tmp_path / "scan", 3)
    write_log(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    go_on(folder, 7)
    write_log(folder)
    attest(folder, key)
    assert verify(folder).faults == ()
    for name, data in before.items():
        (folder / name).write_bytes(data)
    assert verify(folder).faults == ("audit.jsonl, line 7 was removed: 13 lines were signed",)


@pytest.mark.parametrize("name", ["audit.jsonl", "items.jsonl", "matches.jsonl", "summary.json"])
def test_changed_files_are_not_signed(tmp_path, key, name):
    folder = copy_of_scan(tmp_path / "scan")
    with (folder / name).open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(TamperedError, match=rf"{name}, line \d+ was added"):
        attest(folder, key)
    assert not (folder / "attestation.json").exists()


def test_an_earlier_attestation_is_kept_when_the_scan_was_resumed(tmp_path, key):
    folder = stopped(tmp_path / "scan", 3)
    write_log(folder)
    first = attest(folder, key)
    go_on(folder, 7)
    write_log(folder)
    second = attest(folder, key)
    assert (first.size, second.size) == (6, 13)
    assert (folder / "attestation-6.json").read_bytes() == first.data
    assert verify(folder).faults == ()


def test_no_signature_is_lost_when_another_key_signs(tmp_path, signed, key):
    make_key(tmp_path / "other.key")
    kept = [(signed / "attestation.json").read_bytes(), attest(signed, tmp_path / "other.key").data]
    attest(signed, key)
    assert (signed / "attestation.json").read_bytes() == kept[0]
    assert [(signed / f"attestation-{name}.json").read_bytes() for name in ("10", "10-2")] == kept


def test_what_was_signed_before_must_be_in_the_log(signed, key):
    rewrite(signed, "items.jsonl", '"matched_s": 0.0', '"matched_s": 0.5')
    with pytest.raises(TamperedError, match="does not keep what was signed before"):
        attest(signed, key)


# Time stamps


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A time-stamping authority of openssl, with a root of its own."""
    root = tmp_path_factory.mktemp("tsa")
    (root / "tsa.cnf").write_text(
        f"""[tsa]
default_tsa = conf
[conf]
serial = {root}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""
    )
    (root / "serial").write_text("01\n")
    (root / "ext").write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
    new = ["req", "-newkey", "rsa:2048", "-nodes"]
    for name in ("ca", "other-ca"):
        subject = ["-subj", f"/CN={name}", "-keyout", root / f"{name}.key", "-out", root / f"{name}.pem"]
        openssl(*new, "-x509", *subject, "-days", 30)
    openssl(*new, "-subj", "/CN=tsa", "-keyout", root / "tsa.key", "-out", root / "tsa.csr")
    openssl(
        *("x509", "-req", "-in", root / "tsa.csr", "-CA", root / "ca.pem", "-CAkey", root / "ca.key"),
        *("-CAcreateserial", "-extfile", root / "ext", "-out", root / "tsa.pem", "-days", 30),
    )
    return root


def stamp(authority, file, out, algorithm="sha256"):
    openssl("ts", "-query", "-data", file, f"-{algorithm}", "-cert", "-out", out.with_suffix(".tsq"))
    signer = ["-signer", authority / "tsa.pem", "-inkey", authority / "tsa.key"]
    reply = ["ts", "-reply", "-queryfile", out.with_suffix(".tsq"), *signer, "-config", authority / "tsa.cnf"]
    openssl(*reply, "-out", out)
    return out


@needs_openssl
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_time_stamp_is_attached_and_checked(tmp_path, signed, public, authority, algorithm):
    attach_timestamp(signed, stamp(authority, signed / "attestation.json", tmp_path / "answer.tsr", algorithm))
    found = verify(signed, public_key=public, authorities=read_authorities(authority / "ca.pem"))
    assert found.faults == ()
    assert "by the authority given" in found.notes[-1]
    found = verify(signed)
    assert found.faults == ()
    assert "its signature not checked: give --tsa-certificate" in found.notes[-1]
    (fault,) = verify(signed, authorities=read_authorities(authority / "other-ca.pem")).faults
    assert fault.startswith("attestation.tsr: the time stamp is not signed by the authority given")


@needs_openssl
def test_a_changed_time_stamp_is_told(tmp_path, signed, authority):
    attach_timestamp(signed, stamp(authority, signed / "attestation.json", tmp_path / "answer.tsr"))
    data, trusted = (signed / "attestation.tsr").read_bytes(), read_authorities(authority / "ca.pem")
    gone_through = 0
    for at in range(0, len(data), 23):
        (signed / "attestation.tsr").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        faults = verify(signed, authorities=trusted).faults
        gone_through += not faults
        assert all(fault.startswith("attestation.tsr: ") for fault in faults)
    # An answer holds some bytes outside the signed token, and certificates that no one asks for.
    assert gone_through <= 0.05 * len(data) / 23, gone_through
    (signed / "attestation.tsr").unlink()
    assert verify(signed, authorities=trusted).faults == ("attestation.tsr was removed or never attached",)


@needs_openssl
def test_a_time_stamp_of_something_else_is_refused(tmp_path, signed, authority):
    answer = stamp(authority, signed / "items.jsonl", tmp_path / "answer.tsr")
    with pytest.raises(TamperedError, match=r"answer\.tsr: the time stamp is of something else"):
        attach_timestamp(signed, answer)
    (tmp_path / "junk.tsr").write_bytes(b"junk")
    with pytest.raises(TamperedError, match=r"junk\.tsr: no answer of a time-stamping authority"):
        attach_timestamp(signed, tmp_path / "junk.tsr")
    with pytest.raises(AuditError, match=r"none\.tsr: No such file"):
        attach_timestamp(signed, tmp_path / "none.tsr")
    assert not (signed / "attestation.tsr").exists()


def test_certificates_that_are_none_are_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(AuditError, match=r"ca\.pem: no certificates in PEM form"):
        read_authorities(tmp_path / "ca.pem")


# Proofs


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_is_proved_without_the_others(tmp_path, signed, public, item):
    proof = prove_item(signed, item)
    (tmp_path / "proof.json").write_bytes(proof)
    found = verify(tmp_path / "proof.json", public_key=public)
    assert found.faults == ()
    assert found.notes[0].startswith(f"item {item!r} (sha256 ")
    status = {row["item"]: row["status"] for row in rows(signed / "items.jsonl")}[item]
    assert f"scanned as {status}" in found.notes[0]
    attestation = json.loads(proof)["attestation"]
    text = proof.decode() + base64.b64decode(attestation["payload"]).decode()
    assert not [other for other in ITEMS if other != item and other in text]
    digests = [row["sha256"] for row in rows(signed / "items.jsonl") if row["item"] != item and row["sha256"]]
    assert not [digest for digest in digests if digest in text]


def test_a_changed_proof_proves_nothing(tmp_path, signed):
    data = prove_item(signed, MATCHED[0])
    (tmp_path / "proof.json").write_bytes(data)
    for at in range(0, len(data), 29):
        (tmp_path / "proof.json").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert len(verify(tmp_path / "proof.json").faults) == 1, data[at - 20 : at + 20]


def test_a_proof_of_an_unsigned_log_says_so(tmp_path, public):
    (tmp_path / "proof.json").write_bytes(prove_item(audited_scan(), MATCHED[0]))
    found = verify(tmp_path / "proof.json")
    assert found.faults == ()
    assert "not signed: compare the root" in found.notes[1]
    assert "no key can be checked" in verify(tmp_path / "proof.json", public_key=public).faults[0]


def test_an_item_that_is_not_there_is_not_proved(signed):
    with pytest.raises(AuditError, match=r"there is no item 'x\.wav'"):
        prove_item(signed, "x.wav")


def test_a_log_is_proved_to_keep_an_earlier_one(tmp_path, key, public):
    folder = stopped(tmp_path / "scan", 3)
    write_log(folder)
    earlier = attest(folder, key)
    go_on(folder, 7)
    write_log(folder)
    attest(folder, key)
    (tmp_path / "proof.json").write_bytes(prove_consistency(folder, earlier))
    found = verify(tmp_path / "proof.json", public_key=public)
    assert found.faults == ()
    assert found.notes[0].startswith("the log of 13 lines with root ")
    data = (tmp_path / "proof.json").read_bytes()
    for at in range(0, len(data), 29):
        (tmp_path / "proof.json").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert len(verify(tmp_path / "proof.json").faults) == 1
    with pytest.raises(TamperedError, match="does not keep the 6 lines"):
        prove_consistency(audited_scan(), earlier)


# The redacted folder


def test_the_other_party_sees_matched_items_only(tmp_path, signed, public):
    shown = write_redacted(signed, tmp_path / "out")
    assert (shown.n_shown, shown.n_hidden) == (3, 5)
    text = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir()).decode()
    text += base64.b64decode(json.loads((tmp_path / "out" / "attestation.json").read_bytes())["payload"]).decode()
    for row in rows(signed / "items.jsonl"):
        assert (row["item"] in text) == (row["item"] in MATCHED)
        if row["sha256"] is not None:
            assert (row["sha256"] in text) == (row["item"] in MATCHED)
    assert "secret-corpus" not in text
    found = verify(tmp_path / "out", public_key=public)
    assert found.faults == ()
    assert "10 lines, 5 of them hidden" in found.notes[0]


@pytest.mark.parametrize("name", ["audit.redacted.jsonl", "items.jsonl", "matches.jsonl", "attestation.json"])
def test_a_changed_redacted_folder_is_told(tmp_path, signed, public, name):
    write_redacted(signed, tmp_path / "out")
    data = (tmp_path / "out" / name).read_bytes()
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines):
        for changed in (line[:40] + bytes([line[40] ^ 1]) + line[41:], b"", line + line):
            (tmp_path / "out" / name).write_bytes(b"".join([*lines[:number], changed, *lines[number + 1 :]]))
            faults = verify(tmp_path / "out", public_key=public).faults
            assert len(faults) == 1, (number, changed)
            assert faults[0].startswith(name)
    (tmp_path / "out" / name).unlink()
    if name == "audit.redacted.jsonl":
        name = "audit.jsonl"
    (fault,) = verify(tmp_path / "out", public_key=public).faults
    assert fault.startswith(f"{name} was removed")


def test_a_match_cannot_be_hidden(tmp_path, signed, public):
    write_redacted(signed, tmp_path / "out")
    out = tmp_path / "out"
    log = (out / "audit.redacted.jsonl").read_bytes().splitlines()
    items = (out / "items.jsonl").read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(log) if b"a-chaos.wav" in line)
    log[number] = hidden_line(leaf_hash(log[number]))
    (out / "audit.redacted.jsonl").write_bytes(b"".join(line + b"\n" for line in log))
    (out / "items.jsonl").write_bytes(b"".join(items[1:]))
    matches = (out / "matches.jsonl").read_bytes().splitlines(keepends=True)
    (out / "matches.jsonl").write_bytes(b"".join(matches[1:]))
    (fault,) = verify(out, public_key=public).faults
    assert "hidden lines must be of items without a match" in fault


def test_a_redacted_folder_of_a_resumed_scan_verifies(tmp_path, key, public):
    folder = stopped(tmp_path / "scan", 3)
    write_log(folder)
    go_on(folder, 7)
    write_log(folder)
    attest(folder, key)
    shown = write_redacted(folder, tmp_path / "out")
    assert (shown.n_shown, shown.n_hidden) == (3, 6)
    assert verify(tmp_path / "out", public_key=public).faults == ()


def test_a_redacted_folder_needs_an_attestation_and_a_new_folder(tmp_path, signed):
    with pytest.raises(AuditError, match=r"attestation\.json: No such file"):
        write_redacted(audited_scan(), tmp_path / "out")
    with pytest.raises(AuditError, match="is not empty"):
        write_redacted(signed, signed)


# The command line


@needs_openssl
def test_the_commands_from_key_to_verification(tmp_path, authority):
    folder = copy_of_scan(tmp_path / "scan")
    assert run_earmark("keys", "new", tmp_path / "my.key").returncode == 0
    process = run_earmark("attest", folder, "--key", tmp_path / "my.key", "--redacted", tmp_path / "label")
    assert process.returncode == 0, process.stderr
    assert "3 matched items; 5 lines of the log as hashes only" in process.stdout
    secret = (tmp_path / "my.key").read_text().splitlines()[1]
    written = [path.read_bytes() for path in folder.iterdir()]
    said = [process.stdout.encode(), process.stderr.encode()]
    assert not [data for data in (*said, *written) if secret.encode() in data]
    answer = stamp(authority, folder / "attestation.json", tmp_path / "answer.tsr")
    assert run_earmark("attest", folder, "--timestamp", answer).returncode == 0
    process = run_earmark("prove", folder, MATCHED[0], "--out", tmp_path / "proof.json")
    assert process.returncode == 0, process.stderr
    trust = ["--public-key", tmp_path / "my.key.pub"]
    for path in (tmp_path / "label", tmp_path / "proof.json", folder):
        process = run_earmark("verify", path, *trust)
        assert (process.returncode, process.stdout.splitlines()[-1]) == (0, "verified"), process.stdout
    process = run_earmark("verify", folder, *trust, "--tsa-certificate", authority / "ca.pem")
    assert process.returncode == 0
    with (folder / "items.jsonl").open("ab") as file:
        file.write(b"{}\n")
    process = run_earmark("verify", folder, *trust)
    assert process.returncode == 1
    assert "NOT AS IT WAS: items.jsonl, line 8 was added" in process.stdout
    assert "verified" not in process.stdout
    for arguments in (["attest", folder], ["prove", folder], ["verify", tmp_path]):
        assert run_earmark(*arguments).returncode == 2
