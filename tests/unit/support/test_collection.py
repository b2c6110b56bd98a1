"""Tests of what tests/conftest.py changes while pytest collects the tests."""

import gc


def test_search_for_garbage_after_the_collection_of_tests_is_on():
    """Only the collection runs without searches for garbage. Tests need them to see objects that nobody ends."""
    assert gc.isenabled()
