"""Combinations in which every pair of options occurs: what goes wrong between two switches shows in one of them."""

import itertools
import random
from collections.abc import Mapping, Sequence


def pairwise(dimensions: Mapping[str, Sequence[str]], seed: int = 5) -> list[dict[str, str]]:
    """Few combinations, one option per dimension, that hold every pair of options of two dimensions.

    Args:
        dimensions: name → its options.
        seed: of the choice among equally good ones; the same seed gives the same combinations.
    """
    chance = random.Random(seed)
    missing = {
        frozenset([(first, one), (second, two)])
        for first, second in itertools.combinations(dimensions, 2)
        for one, two in itertools.product(dimensions[first], dimensions[second])
    }
    found = []
    while missing:
        # what is missing begins each, so that none is in vain
        combination = dict(min(missing, key=sorted))
        for name in chance.sample(list(dimensions), len(dimensions)):
            if name not in combination:
                options = chance.sample(list(dimensions[name]), len(dimensions[name]))
                combination[name] = max(
                    options,
                    key=lambda option: sum(
                        frozenset([(name, option), each]) in missing for each in combination.items()
                    ),
                )
        missing -= {frozenset(pair) for pair in itertools.combinations(combination.items(), 2)}
        found.append(combination)
    return found
