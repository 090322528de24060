"""What a file really is, recognised by how it begins: "a picture", "a zip"."""

from __future__ import annotations

_BEGINNINGS = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"II*\0", "a picture"),
    (b"MM\0*", "a picture"),
    (b"RIFF", "a picture, film or sound"),
    (b"PK\3\4", "a zip, or a file of an office program"),
    (b"PK\5\6", "an empty zip"),
    (b"\xd0\xcf\x11\xe0", "a file of an office program"),
    (b"%PDF", "a PDF"),
    (b"7z\xbc\xaf", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
)
_PAGES = (b"<!doctype html", b"<html")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # text in spite of its zeros
_BEGINNING = 4096  # bytes that are looked at


def described(content: bytes) -> str:
    """What the content is if it is not text, or not a program's; an empty text where that is not known."""
    if not content.strip():
        return "an empty file"
    for beginning, what in _BEGINNINGS:
        if content.startswith(beginning):
            return what
    if content[:_BEGINNING].lstrip().lower().startswith(_PAGES):
        return "a web page"
    if b"\0" in content[:_BEGINNING] and not content.startswith(_UTF_16):
        return "no text"
    return ""
