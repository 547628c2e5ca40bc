"""Names of people's files as IRIs, and back, so that no name can be read as anything but a name."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from huiyi.errors import DataError
from huiyi.reason.facts import LARGEST_TEXT

BASE = "urn:huiyi:"
"""What the IRI of a plain name begins with."""

STANDARD = {
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Vocabularies whose terms are written by their usual short names, such as ``rdf:type``."""

TYPE, LABEL, ALIAS = f"{STANDARD['rdf']}type", f"{STANDARD['rdfs']}label", f"{STANDARD['skos']}altLabel"

_SHORT = re.compile(r"(owl|rdf|rdfs|skos|xsd):([A-Za-z]\w*)", re.ASCII)
_WEB = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#]([\w\-.~:/?#@!$&()*+,;=]|%[0-9A-Fa-f]{2})*)?", re.ASCII)
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@lru_cache(maxsize=1 << 16)
def iri_of(name: str) -> str:
    """The IRI of a name.

    A web address, and a short name such as ``rdf:type``, stand for themselves.
    Any other name becomes one word: letters and digits of all scripts stay, and
    everything else is written as ``%`` and two digits a byte.

    Raises:
        DataError: The name is empty, too long, or holds half a character.

    Example:
        >>> iri_of("has symptom"), iri_of("服务对象"), iri_of("> . <x>"), iri_of("http://shop.example/o1")
        ('urn:huiyi:has%20symptom', 'urn:huiyi:服务对象', 'urn:huiyi:%3E%20.%20%3Cx%3E', 'http://shop.example/o1')
    """
    if not name:
        raise DataError("A name is empty. Expected at least one character: fill it in.")
    if name.isalnum() and name.isascii() and len(name) <= LARGEST_TEXT:  # most names, and quick
        return BASE + name
    if len(name) > LARGEST_TEXT:
        raise DataError(
            f"A name has {len(name):,} characters. Expected at most {LARGEST_TEXT:,}: "
            "shorten it, or keep the text elsewhere and its name here."
        )
    if short := _SHORT.fullmatch(name):
        return STANDARD[short[1]] + short[2]
    if _WEB.fullmatch(name) and name_of(name) == name:
        return name
    try:
        return BASE + "".join(
            char if char in _PLAIN or (char > "\xa0" and char.isalnum()) else _escaped(char) for char in name
        )
    except UnicodeEncodeError as error:
        raise DataError(f"The name {name!r} holds half a character. Expected text that UTF-8 can hold.") from error


@lru_cache(maxsize=1 << 16)
def name_of(iri: str) -> str:
    """The name that an IRI stands for; an IRI of somebody else's is its own name.

    Example:
        >>> name_of(iri_of("> . <x>")), name_of("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
        ('> . <x>', 'rdf:type')
    """
    if iri.startswith(BASE):
        return unquote(iri[len(BASE) :])
    for short, base in STANDARD.items():
        if iri.startswith(base) and _SHORT.fullmatch(f"{short}:{iri[len(base) :]}"):
            return f"{short}:{iri[len(base) :]}"
    return iri


def _escaped(char: str) -> str:
    """A character as ``%`` and two digits for each of its bytes."""
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8"))
