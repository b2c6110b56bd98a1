"""Tests of the encodings of feeds: which statement takes precedence, and the effect of damaged bytes."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.providers.rss.decoding import decode_feed

TEXT = "<rss><title>Société “€5” 株価 Биткоин</title></rss>"


def declared(encoding: str, text: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>{text}'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode(), "text/xml"),
        (TEXT.encode(), "application/xml; charset=us-ascii"),
        (TEXT.encode(), "application/xml; charset=unknown-8"),
        (TEXT.encode("utf-16"), ""),
        (TEXT.encode("utf-16-be"), ""),
        (TEXT.encode("utf-16-le"), "application/xml; charset=utf-8"),
        (TEXT.encode("utf-32"), ""),
        (codecs.BOM_UTF8 + TEXT.encode(), "application/xml; charset=iso-8859-1"),
        (TEXT.encode("gb18030"), "application/xml; charset=gb2312"),
        (TEXT.encode("utf-7"), "application/xml; charset=utf-7"),
        (TEXT.encode() + b" ", "application/xml; charset=utf-16"),
    ],
)
def test_encoding_is_found_by_mark_content_type_or_default(body: bytes, content_type: str):
    """A byte order mark takes precedence, followed by the content type. UTF-8 is the default."""
    assert decode_feed(body, content_type).strip() == TEXT


@pytest.mark.parametrize("encoding", ["windows-1252", "cp1140", "utf-16", "utf-8", "mac-roman"])
def test_encoding_is_found_by_xml_declaration(encoding: str):
    """The XML declaration is found in any encoding."""
    text = declared(encoding, "<rss><title>Société</title></rss>")
    assert decode_feed(text.encode(encoding), "application/xml") == text


@pytest.mark.parametrize(
    ("stated", "encoding", "title"),
    [
        ("Shift_JIS", "cp932", "日経①㈱髙島屋"),
        ("x-sjis", "cp932", "日経①"),
        ("windows-31j", "cp932", "①"),
        ("EUC-JP", "euc_jis_2004", "日経①"),
        ("EUC-KR", "cp949", "똠방각하"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("Big5", "cp950", "碁恒粧裏"),
        ("Big5", "big5hkscs", "嗰啲"),
        ("gbk", "gb18030", "镕㐀"),
        ("iso-8859-9", "cp1254", "“Borsa” ğ"),
    ],
)
def test_documents_use_the_superset_of_the_stated_encoding(stated: str, encoding: str, title: str):
    """Browsers read a common superset for these names, so publishers use its characters (F2)."""
    assert title in decode_feed(declared(stated, title).encode(encoding), "")


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "hex", "zip"]
)
def test_encoding_that_no_document_has_is_ignored(name: str):
    """Python's other codecs, some of which take quadratic time, are not accepted as encodings of feeds."""
    text = declared(name, TEXT)
    assert decode_feed(text.encode(), f"application/xml; charset={name}") == text


@pytest.mark.parametrize(
    ("encoding", "title", "wrong"),
    [
        ("utf-8", "株価 “€5”", b"\xff"),
        ("utf-8-sig", "株価 “€5”", b"\xe6\xa0"),
        ("utf-16", "株価 “€5”", b"\x3d\xd8"),  # half of a surrogate pair
        ("shift_jis", "ビットコイン", b"\xff"),
        ("euc_kr", "비트코인 상승", b"\xff"),
        ("big5", "比特幣上漲", b"\xff"),
        ("windows-1251", "Биткоин вырос", b"\x98"),
    ],
)
def test_damaged_byte_leaves_the_other_characters_unchanged(encoding: str, title: str, wrong: bytes):
    """Item 3: a wrong byte between two titles changes neither of them."""
    before, after = f"<a>{title * 20}</a>", f"<b>{title * 20}</b>"
    body = declared(encoding.removesuffix("-sig"), f"{before}|{after}").encode(encoding)
    middle = "|".encode("utf-16-le" if encoding == "utf-16" else "ascii")
    text = decode_feed(body.replace(middle, wrong), "application/xml")
    assert before in text
    assert after in text


def test_bytes_that_are_not_utf8_are_windows_1252():
    """Titles that were pasted from another program may have its quotation marks in a feed that is otherwise UTF-8."""
    assert decode_feed("株価 ".encode() + b"\x93up\x94 5 \x80", "application/xml; charset=utf-8") == "株価 “up” 5 €"


@given(st.binary(max_size=400), st.sampled_from(["", "text/xml", "text/xml; charset=utf-16", "text/xml; charset=big5"]))
def test_any_bytes_have_a_text_without_forbidden_characters(body: bytes, content_type: str):
    """Every body can be decoded, and the text contains only characters that XML allows."""
    text = decode_feed(body, content_type)
    assert not set(text) & {"\0", "\x01", "\x0b", "\x1b", "\ufffe", "\uffff"}
    text.encode()
