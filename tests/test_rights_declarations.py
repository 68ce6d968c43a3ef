"""Declarations to everybody, as reservations: TDMRep, ODRL, and C2PA manifests in files that are really signed."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from earmark.audio.render import encode
from earmark.errors import ParameterError
from earmark.rights import SCOPES, read_registry
from earmark.rights.importing import ImportOptions, import_files
from earmark.rights.reservations import RESERVED_SCOPES
from earmark.rights.sources.repertoire import parse_repertoire
from earmark.rights.use_types import UseMeaning

DAY = date(2024, 6, 1)


@pytest.fixture
def take(tmp_path):
    """Import files; return the reservations, the refusals and the notices."""

    def _take(*paths, **options):
        refused = []
        report = import_files(
            tmp_path / "r", paths, ImportOptions(**options), on_refusal=lambda each: refused.append(str(each))
        )
        return read_registry(tmp_path / "r").reservations, refused, report.notices

    return _take


@pytest.fixture
def write(tmp_path):
    def _write(name, value):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
        return path

    return _write


# TDMRep

RULES = [
    {"location": "/music/*", "tdm-reservation": 1},
    {"location": "/licensed/*", "tdm-reservation": 1, "tdm-policy": "https://label.example/policy.json"},
    {"location": "/free/*", "tdm-reservation": 0},
]


def test_a_tdmrep_file(take, write):
    path = write("tdmrep.json", RULES)
    found, refused, notices = take(path, repertoire={"label": "Small Label"}, asserted_at=DAY)
    assert refused == []
    assert [(each.permission, each.url) for each in found] == [
        ("not_allowed", None),
        ("constrained", "https://label.example/policy.json"),
    ]
    for each in found:
        assert (each.type, each.scopes, each.label, each.asserted_at) == ("tdmrep", RESERVED_SCOPES, "Small Label", DAY)
    assert found[0].text == "tdm-reservation 1 at /music/*"
    assert "rule 3 reserves nothing at /free/*" in notices[0]
    again, _, _ = take(path, repertoire={"label": "Small Label"}, asserted_at=DAY)
    assert again == found


def test_a_declaration_that_names_no_repertoire_is_refused(take, write):
    found, (refused,), _ = take(write("tdmrep.json", RULES))
    assert found == ()
    assert "nothing says which recordings this declaration is about; expected --covers" in refused


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"tdm-reservation": 1}, "column location: rule 2 names no location"),
        ({"location": "/", "tdm-reservation": "yes"}, "column tdm-reservation: rule 2: 'yes' is neither 0 nor 1"),
        ({"location": "/", "tdm-reservation": True}, "rule 2: True is neither 0 nor 1"),
        ({"location": "/", "tdm-reservation": 1, "tdm-policy": 7}, "column tdm-policy: rule 2: 7 is no URL"),
        (7, "column location: rule 2 names no location"),
    ],
)
def test_a_bad_rule_is_refused_and_the_others_go_in(take, write, rule, words):
    found, (refused,), _ = take(write("tdmrep.json", [RULES[0], rule]), repertoire={"label": "Small Label"})
    assert words in refused
    assert len(found) == 1


# ODRL

POLICY = {
    "@context": ["http://www.w3.org/ns/odrl.jsonld", {"tdm": "http://www.w3.org/ns/tdmrep#"}],
    "@type": "Offer",
    "profile": "http://www.w3.org/ns/tdmrep",
    "uid": "https://label.example/policies/1",
    "assigner": {"uid": "https://label.example", "vcard:fn": "Small Label Ltd"},
}
OFFER = {"target": "https://label.example/music", "action": "tdm:mine", "duty": [{"action": "obtainConsent"}]}


@pytest.mark.parametrize(
    ("rules", "permission", "scopes", "words"),
    [
        ({"permission": [OFFER]}, "constrained", RESERVED_SCOPES, 'permits under terms mine: {"duty": [{"action"'),
        ({"prohibition": {"action": "tdm:mine"}}, "not_allowed", RESERVED_SCOPES, "prohibits mine"),
        ({"prohibition": [{"action": {"@id": "odrl:use"}}]}, "not_allowed", SCOPES, "prohibits use"),
        (
            {"odrl:prohibition": [{"odrl:action": "http://www.w3.org/ns/tdmrep#mine"}]},
            "not_allowed",
            RESERVED_SCOPES,
            "",
        ),
        (
            {"prohibition": [{"action": "mine", "constraint": [{"leftOperand": "purpose"}]}]},
            "constrained",
            RESERVED_SCOPES,
            "purpose",
        ),
        ({"prohibition": [{"action": "ai:infer"}]}, "not_allowed", ("ai_inference",), "prohibits ai:infer"),
    ],
)
def test_an_odrl_policy(take, write, rules, permission, scopes, words):
    use_types = {"ai:infer": UseMeaning(scope="ai_inference")}
    (found,), refused, _ = take(write("policy.json", POLICY | rules), use_types=use_types)
    assert refused == []
    assert (found.type, found.permission, found.scopes) == ("odrl", permission, scopes)
    assert (found.url, found.rightsholder) == ("https://label.example/policies/1", "Small Label Ltd")
    assert words in found.text


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            {"permission": [{"action": "tdm:mine"}]},
            "permission of mine without duties: a declaration to all is no grant",
        ),
        ({"prohibition": [{"action": "print"}]}, "prohibition of print: no AI use that is known"),
    ],
)
def test_what_an_odrl_policy_says_that_is_no_reservation(take, write, rules, words):
    found, refused, notices = take(write("policy.json", POLICY | rules))
    assert (found, refused) == ((), [])
    assert words in notices[0]


def test_policies_in_a_graph_and_a_repertoire_that_is_given(take, write):
    graph = {"@graph": [POLICY | {"prohibition": [{"action": "tdm:mine"}]}, {"@id": "other"}]}
    (found,), _, _ = take(write("policy.json", graph), repertoire={"upc": "0036000291452"})
    assert (found.upc, found.rightsholder) == ("0036000291452", None)


def test_a_policy_of_nobody_is_refused(take, write):
    policy = {"uid": "x", "prohibition": [{"action": "tdm:mine"}], "assigner": "https://label.example"}
    found, (refused,), _ = take(write("policy.json", policy))
    assert found == ()
    assert "nothing says which recordings" in refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label", "expected COLUMN=VALUE, with one of track_id"),
        ("title=Song", "expected COLUMN=VALUE"),
        ("label= ", "expected COLUMN=VALUE"),
        ("isrc=GB1", "'isrc=GB1': 'GB1' is no ISRC"),
    ],
)
def test_a_bad_repertoire(text, words):
    with pytest.raises(ParameterError, match=re.escape(words)):
        parse_repertoire([text])


# C2PA


def certificate(name, key, issuer=None, issuer_key=None, *, authority=False):
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    now = datetime.now(UTC)
    usage = {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
    others = ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    usage |= dict.fromkeys([*others, "encipher_only", "decipher_only"], False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


@pytest.fixture(scope="module")
def signer():
    """What signs for `Small Label Ltd`: a key, and a chain of two certificates that nobody else trusts."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Some Authority", root_key, authority=True)
    chain = [certificate("Small Label Ltd", key, root, root_key), root]
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, pem, secret, None)


@pytest.fixture
def signed(tmp_path, signer):
    """Make a sound file, and sign a manifest with some assertions into it."""

    def _signed(*assertions, name="song.wav"):
        plain = tmp_path / f"plain-{name}"
        encode(np.zeros(8000, np.float32), 8000, plain)
        actions = {
            "actions": [
                {
                    "action": "c2pa.created",
                    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                }
            ]
        }
        manifest = {
            "claim_generator_info": [{"name": "earmark-test", "version": "1"}],
            "assertions": [{"label": "c2pa.actions", "data": actions}, *assertions],
        }
        settings = {"builder": {"thumbnail": {"enabled": False}}}
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Signer.from_info(signer) as pen,
            c2pa.Builder(manifest, context=context) as builder,
        ):
            builder.sign_file(plain, tmp_path / name, pen)
        return tmp_path / name

    return _signed


def mining(label="cawg.training-mining", **uses):
    prefix = label.split(".")[0]
    entries = {f"{prefix}.{scope}": use if isinstance(use, dict) else {"use": use} for scope, use in uses.items()}
    return {"label": label, "data": {"entries": entries}}


@pytest.mark.parametrize("label", ["cawg.training-mining", "c2pa.training-mining"])
@pytest.mark.parametrize("name", ["song.wav", "song.mp3"])
def test_a_signed_file_reserves(take, signed, label, name):
    path = signed(mining(label, ai_training="notAllowed", data_mining="notAllowed", ai_inference="allowed"), name=name)
    (found,), refused, notices = take(path, repertoire={"label": "Small Label"})
    assert refused == []
    assert (found.type, found.permission, found.scopes) == ("c2pa", "not_allowed", ("ai_training", "data_mining"))
    assert found.text.startswith(f"{label}, signed by Small Label Ltd (validation state ")
    assert any("ai_inference is allowed; a declaration to all is no grant" in notice for notice in notices)


def test_constraints_are_kept(take, signed):
    entry = {"use": "constrained", "constraint_info": "ask\n first"}
    found, _, _ = take(signed(mining(ai_training=entry, data_mining="notAllowed")), repertoire={"label": "Foo"})
    assert {(each.permission, each.scopes) for each in found} == {
        ("constrained", ("ai_training",)),
        ("not_allowed", ("data_mining",)),
    }
    assert any(each.text.endswith(": ask first") for each in found)


def test_entries_that_are_wrong_or_unknown(take, signed):
    path = signed(mining(ai_training="maybe", singing="notAllowed", data_mining="notAllowed"))
    (found,), (refused,), notices = take(path, repertoire={"label": "Foo"})
    assert found.scopes == ("data_mining",)
    assert "column cawg.ai_training: 'maybe' is unknown; expected allowed, notAllowed or constrained" in refused
    assert any("entry cawg.singing is no use that is known" in notice for notice in notices)


def test_a_file_that_was_changed_after_signing_is_refused(take, signed):
    path = signed(mining(ai_training="notAllowed"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1  # a sample of the sound
    path.write_bytes(data)
    found, (refused,), _ = take(path, repertoire={"label": "Foo"})
    assert found == ()
    assert "its C2PA manifest is not valid" in refused
    assert "dataHash.mismatch" in refused


def test_files_without_such_an_assertion(take, signed, tmp_path):
    bare = tmp_path / "bare.wav"
    encode(np.zeros(800, np.float32), 8000, bare)
    found, refused, _ = take(signed(), bare, repertoire={"label": "Foo"})
    assert found == ()
    assert "asserts nothing on training and data mining" in refused[0]
    assert "has no C2PA manifest that can be read" in refused[1]


def test_a_file_whose_tags_name_no_isrc_needs_a_repertoire(take, signed):
    found, (refused,), _ = take(signed(mining(ai_training="notAllowed")))
    assert found == ()
    assert "nothing says which recordings" in refused
