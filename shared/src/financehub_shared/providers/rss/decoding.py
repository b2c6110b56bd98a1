"""Decodes the bytes of a feed, so that a damaged byte affects only one character. Pure."""

import codecs
import contextlib
import re

#: Byte order mark → encoding. The mark of UTF-32 begins with that of UTF-16, so UTF-32 comes first.
_MARKS = {
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
}
#: The character `<` in encodings that are not based on ASCII (XML 1.0, appendix F.1), also longest first.
_BEGINNINGS = {
    b"\x00\x00\x00<": "utf-32-be",
    b"<\x00\x00\x00": "utf-32-le",
    b"\x00<": "utf-16-be",
    b"<\x00": "utf-16-le",
    b"\x4c\x6f\xa7\x94": "cp037",
}
_DECLARED = re.compile(r"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")
_CHARSET = re.compile(r"""\bcharset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
#: Number of bytes at the beginning that are searched for the XML declaration.
_DECLARATION_BYTES = 1_000
#: Characters that XML documents must not contain (XML 1.0, 2.2).
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
#: Python's codecs that are not encodings of documents. Some of them take quadratic time.
_NOT_FOR_DOCUMENTS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})
#: Encoding that a document states → superset that such documents use, as in browsers (WHATWG Encoding Standard, 4.2).
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_jp": "euc_jis_2004",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
}
#: Names of encodings that Python does not know.
_NAMES = {"windows-31j": "cp932", "windows-949": "cp949"}
#: Largest share of damaged characters with which a declared encoding is still trusted.
_DAMAGED_SHARE = 0.01
#: Byte that is not UTF-8, as the code point of Python's error handler `surrogateescape` → its windows-1252 character.
_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("windows-1252", "replace") for byte in range(0x80, 0x100)}


def decode_feed(body: bytes, content_type: str) -> str:
    """Return the text of a feed, without the characters that XML forbids.

    As in browsers, a byte order mark takes precedence over the content type, and the content type over the XML
    declaration. Without any of them, or if none fits, the text is read as UTF-8, and bytes that are not valid UTF-8 are
    read as windows-1252.

    Args:
        body: Decompressed body.
        content_type: Content type of the response, which may name the encoding.
    """
    return _FORBIDDEN.sub("", _decode(body, content_type))


def _decode(body: bytes, content_type: str) -> str:
    mark = next((mark for mark in _MARKS if body.startswith(mark)), b"")
    data = body[len(mark) :]
    family = _MARKS.get(mark) or next((name for start, name in _BEGINNINGS.items() if data.startswith(start)), "")
    if family == "utf-8":
        return _decode_utf8(data)
    if family.startswith("utf"):
        return data.decode(family, "replace")
    declared = _DECLARED.match(data[:_DECLARATION_BYTES].decode(family or "latin-1", "replace"))
    charset = _CHARSET.search(content_type)
    stated = [encoding for match in (charset, declared) if match and (encoding := _known(match[1]))]
    for encoding in (*stated, family or "utf-8", "utf-8"):
        with contextlib.suppress(UnicodeError):
            return data.decode(encoding)
    for encoding in stated:
        if encoding not in {"utf-8", "ascii"}:
            text = data.decode(encoding, "replace")
            if text.count("\ufffd") <= _DAMAGED_SHARE * len(text):
                return text
    return _decode_utf8(data)


def _known(name: str) -> str:
    """Return Python's name of an encoding, or an empty string if a document cannot have this encoding."""
    name = name.lower().removeprefix("x-")  # `x-sjis`, `x-gbk`
    name = _NAMES.get(name, name)
    try:
        codec = codecs.lookup(name)
        # UTF-16 and UTF-32 are already recognized by the first bytes. .NET declares UTF-16 regardless of the encoding.
        if codec.name in _NOT_FOR_DOCUMENTS or codec.name.startswith(("utf-16", "utf-32")):
            return ""
        b"a".decode(name, "replace")  # refuses codecs such as base64, which do not decode to text
    except LookupError:
        return ""
    return _SUPERSETS.get(codec.name, codec.name)


def _decode_utf8(data: bytes) -> str:
    # The error handler maps byte 0x80 to U+DC80, and so on.
    return data.decode("utf-8", "surrogateescape").translate(_WINDOWS_1252)
