"""Computes combinations in which every pair of options occurs, so that tests find faults caused by two options."""

import itertools
import random
from collections.abc import Mapping, Sequence


def pairwise(dimensions: Mapping[str, Sequence[str]], seed: int = 5) -> list[dict[str, str]]:
    """Return a small number of combinations, with one option per dimension, that contain every pair of options.

    Args:
        dimensions: Dimension → its options.
        seed: Seed for the choice among equally good options. The same seed yields the same combinations.
    """
    generator = random.Random(seed)
    missing = {
        frozenset([(first, first_option), (second, second_option)])
        for first, second in itertools.combinations(dimensions, 2)
        for first_option, second_option in itertools.product(dimensions[first], dimensions[second])
    }
    combinations = []
    while missing:
        # Every combination starts with a missing pair, so that none is superfluous.
        combination = dict(min(missing, key=sorted))
        for name in generator.sample(list(dimensions), len(dimensions)):
            if name not in combination:
                options = generator.sample(list(dimensions[name]), len(dimensions[name]))
                combination[name] = max(
                    options,
                    key=lambda option: sum(
                        frozenset([(name, option), chosen]) in missing for chosen in combination.items()
                    ),
                )
        missing -= {frozenset(pair) for pair in itertools.combinations(combination.items(), 2)}
        combinations.append(combination)
    return combinations
