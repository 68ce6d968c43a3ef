"""Every error that Earmark raises on purpose.

::

    EarmarkError
    ├── ParameterError            an argument out of its domain (also a ValueError)
    ├── AuditError                a log, key, attestation or proof that cannot be made or read
    │   └── TamperedError             files are not those that were logged (names file and line)
    ├── AudioError                a source gives no usable audio, or stops giving it
    │   ├── UnreadableAudioError      nothing could be decoded: no audio, damaged header, no such file
    │   └── TruncatedAudioError       decoding stopped before the declared end; what came before is good
    ├── CorpusError               a corpus that cannot be listed, or an item of it that cannot be opened
    ├── MetadataError             a metadata file with a bad row (names file and line)
    ├── CatalogError              a catalog that cannot be used
    │   ├── CatalogVersionError       written by a newer major version of the format
    │   ├── CatalogDamagedError       bytes on disk are not those that were written
    │   ├── CatalogLockedError        another process is writing
    │   └── ModelMismatchError        made with another fingerprint model
    ├── PackError                 a pack of a catalog, or a key for it, that cannot be made or used
    │   ├── PackVersionError          written by a newer version
    │   ├── PackTamperedError         bytes are not those that were written, or another signed it
    │   └── PackMismatchError         it does not fit the catalog that it is to go into
    ├── RegistryError             a license registry or list with a bad row (names file and line)
    │   ├── RegistryVersionError      a registry file written by a newer version
    │   ├── RegistryDamagedError      a registry file whose contents cannot be right
    │   └── RegistryLockedError       another process is writing
    ├── ReportError               a report that cannot be written
    └── ScanError                 a scan that cannot start or go on
"""

__all__ = [
    "AudioError",
    "AuditError",
    "CatalogDamagedError",
    "CatalogError",
    "CatalogLockedError",
    "CatalogVersionError",
    "CorpusError",
    "EarmarkError",
    "MetadataError",
    "ModelMismatchError",
    "PackError",
    "PackMismatchError",
    "PackTamperedError",
    "PackVersionError",
    "ParameterError",
    "RegistryDamagedError",
    "RegistryError",
    "RegistryLockedError",
    "RegistryVersionError",
    "ReportError",
    "ScanError",
    "TamperedError",
    "TruncatedAudioError",
    "UnreadableAudioError",
]


class EarmarkError(Exception):
    """Root of every error that Earmark raises on purpose."""


class ParameterError(EarmarkError, ValueError):
    """An argument is out of its domain."""


class AuditError(EarmarkError):
    """A log, key, attestation or proof cannot be made or read."""


class TamperedError(AuditError):
    """Files are not those that were logged; the message names file and line."""


class AudioError(EarmarkError):
    """A source gives no usable audio, or stops giving it."""


class UnreadableAudioError(AudioError):
    """Nothing could be decoded."""


class TruncatedAudioError(AudioError):
    """Decoding stopped before the declared end; the chunks that came before are good."""


class CorpusError(EarmarkError):
    """A corpus cannot be listed, or an item of it cannot be opened."""


class MetadataError(EarmarkError):
    """A metadata file has a bad row; the message names file and line."""


class CatalogError(EarmarkError):
    """A catalog cannot be used."""


class CatalogVersionError(CatalogError):
    """A catalog was written by a newer major version of the format."""


class CatalogDamagedError(CatalogError):
    """Bytes on disk are not those that were written."""


class CatalogLockedError(CatalogError):
    """Another process is writing to the catalog."""


class ModelMismatchError(CatalogError):
    """A catalog was made with another fingerprint model."""


class PackError(EarmarkError):
    """A pack of a catalog, or a key for it, cannot be made or used."""


class PackVersionError(PackError):
    """A pack was written by a newer version."""


class PackTamperedError(PackError):
    """A pack's bytes are not those that were written, or it was not signed by who was expected."""


class PackMismatchError(PackError):
    """A pack does not fit the catalog that it is to go into."""


class RegistryError(EarmarkError):
    """A license registry, or a list of cases, has a bad row; the message names file and line."""


class ReportError(EarmarkError):
    """A report cannot be written."""


class RegistryVersionError(RegistryError):
    """A registry file was written by a newer version, or must be brought up to date first."""


class RegistryDamagedError(RegistryError):
    """A registry file holds what no version writes."""


class RegistryLockedError(RegistryError):
    """Another process is writing to the registry file."""


class ScanError(EarmarkError):
    """A scan cannot start or go on."""
