"""Tests of decompression and entity bombs."""

import gzip
import zlib

from financehub_simulator.body_faults import entity_bomb, zip_bomb


def test_zip_bomb_is_valid_gzip_of_a_thousandth_of_its_size():
    """A gzip reader accepts the bomb, including its checksum, and returns the announced size."""
    packed = zip_bomb(20)
    assert gzip.decompress(packed) == b" " * 20_000_000
    assert len(packed) * 900 < 20_000_000


def test_zip_bomb_has_a_single_gzip_member():
    """A client that reads only the first gzip member receives the whole content."""
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert len(decompressor.decompress(zip_bomb(3))) == 3_000_000
    assert decompressor.eof


def test_entity_bomb_nests_ten_levels_in_two_kilobytes():
    """Ten levels of ten references fit in less than two kilobytes."""
    bomb = entity_bomb()
    assert len(bomb) < 2_000
    assert bomb.count(b"<!ENTITY") == 11
    assert b"&e10;" in bomb
