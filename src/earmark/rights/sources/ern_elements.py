"""DDEX ERN messages as a stream: one list entry after the other, each forgotten when the next one comes.

After "Electronic Release Notification Message Suite Standard", versions 4.3 and 3.8.2. Element names are the same in
any namespace: the standard's own elements have none below the root.
"""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from earmark.errors import RegistryError
from earmark.rights.sources.incoming import Incoming

__all__ = ["Element", "attribute", "elements_of", "local_name", "text_of", "texts_of"]

Element = etree._Element

# Namespaces of the root: http://ddex.net/xml/ern/43, and of its minor versions; http://ddex.net/xml/ern/382, and 38,
# 381 and 383, which read the same here.
_NAMESPACES: Final = "http://ddex.net/xml/ern/"
_VERSIONS: Final = ("43", "431", "432", "38", "381", "382", "383")
_ROOTS: Final = ("NewReleaseMessage", "PurgeReleaseMessage")

# Elements below one entry of a list. An album of 1,000 tracks has some 10,000.
_MAX_ELEMENTS: Final = 1_000_000


def elements_of(incoming: Incoming) -> Iterator[tuple[str, Element]]:
    """Yield the parts of a message: its header, and each entry of its lists.

    Entities are not resolved, DTDs refused, and nothing is fetched. An element is good until the next one is asked for.

    Parameters
    ----------
    incoming : Incoming
        An ERN NewReleaseMessage or PurgeReleaseMessage of version 4.3 or 3.8.2.

    Yields
    ------
    name : str
        Such as `MessageHeader` or `SoundRecording`.
    element : lxml element

    Raises
    ------
    RegistryError
        If it is no such message, is malformed (names the line), holds a DTD, or one entry is out of all proportion.
    """
    events = etree.iterparse(
        incoming.file, events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True,
        dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    depth, top, n_elements = 0, "", 0
    try:
        for event, element in events:
            if event == "start":
                depth += 1
                n_elements += 1
                if depth == 1:
                    _check_root(element, incoming)
                elif depth == 2:
                    top, n_elements = local_name(element), 0
                elif n_elements > _MAX_ELEMENTS:
                    raise RegistryError(f"{incoming.path}: an entry of {top} has more than {_MAX_ELEMENTS:,} elements")
                continue
            is_list = top.endswith("List")
            if depth == (3 if is_list else 2):
                yield local_name(element), element
            if depth in {2, 3} and (is_list or depth == 2):
                _forget(element)
                n_elements = 0
            depth -= 1
    except etree.XMLSyntaxError as error:
        first = next(iter(events.error_log), None)
        words = str(error.msg) if first is None else f"line {first.line}: {' '.join(first.message.split())}"
        raise RegistryError(f"{incoming.path} is no well-formed XML: {words}") from error


def _check_root(root: Element, incoming: Incoming) -> None:
    if root.getroottree().docinfo.doctype:
        raise RegistryError(f"{incoming.path}: holds a document type declaration, which ERN messages have no use for")
    name = etree.QName(root)
    version = (name.namespace or "").removeprefix(_NAMESPACES).strip("/")
    if name.localname not in _ROOTS or version not in _VERSIONS:
        raise RegistryError(
            f"{incoming.path}: the root is {name.localname} of namespace {name.namespace or 'none'}; expected a "
            f"{' or '.join(_ROOTS)} of DDEX ERN 4.3 or 3.8.2 ({_NAMESPACES}43 or 382)"
        )


def _forget(element: Element) -> None:
    """Free an element and those before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def texts_of(element: Element, *paths: str) -> list[str]:
    """Return the texts at the first of some paths that leads to any, each on one line; of blank ones nothing.

    Parameters
    ----------
    element : lxml element
    *paths : str
        Names set apart by slashes, in any namespace.
    """
    for path in paths:
        steps = "/".join(f"{{*}}{step}" for step in path.split("/"))
        found = (" ".join("".join(each.itertext()).split()) for each in element.iterfind(steps))
        if texts := [text for text in found if text]:
            return texts
    return []


def text_of(element: Element, *paths: str) -> str:
    """Return the first of `texts_of`, or an empty text."""
    return next(iter(texts_of(element, *paths)), "")


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute on one line; None if it is blank or not there."""
    return " ".join((element.get(name) or "").split()) or None
