"""Bodies that are bombs."""

import gzip
import zlib

from financehub_simulator.spoiling import entity_bomb, zip_bomb


def test_zip_bomb_is_valid_gzip_and_grows_a_thousandfold():
    """A gzip reader accepts it, checksum included, and gets what was promised."""
    packed = zip_bomb(20)
    assert gzip.decompress(packed) == b" " * 20_000_000
    assert len(packed) * 900 < 20_000_000


def test_zip_bomb_unpacks_in_one_member():
    """A client that reads the first gzip member only gets all of it."""
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert len(reader.decompress(zip_bomb(3))) == 3_000_000
    assert reader.eof


def test_entity_bomb_is_small_and_nested():
    """Ten levels of ten references each stand in less than two kilobytes."""
    bomb = entity_bomb()
    assert len(bomb) < 2_000
    assert bomb.count(b"<!ENTITY") == 11
    assert b"&e10;" in bomb
