"""Documents that follow one another are checked together, as a scheduler with all of their files would."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.spec.inspection import Inspection, inspect_file
from financehub_shared.spec.predecessor_warnings import warn_of_predecessors
from support.schedules import resource

NOW = 1_800_000_000.0


def inspect_links(links: dict[str, str]) -> dict[str, Inspection]:
    """Inspect a follower for each name that has a predecessor, and another schedule for each that has none."""
    specs = [resource(name, **({"after": after} if after else {})) for name, after in links.items()]
    found = warn_of_predecessors(inspect_file("x.yaml", yaml.safe_dump_all(specs), NOW))
    return {each.name.removeprefix("default/"): each for each in found}


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdefz"]), min_size=1))
@settings(deadline=None)
def test_warn_of_predecessors_names_each_follower_that_cannot_start(links: dict[str, str]) -> None:
    """A follower has a warning exactly if it is in a circle, or if its predecessor is in none of several documents."""
    links = {name: after for name, after in links.items() if name != after}
    if not links:
        return
    for name, inspection in inspect_links(links).items():
        path = [links[name]]
        while links.get(path[-1]) and len(path) <= len(links):
            path.append(links[path[-1]])
        is_missing = bool(links[name]) and links[name] not in links and len(links) > 1
        assert bool(inspection.warnings) == (name in path or is_missing), (name, inspection.warnings)


def test_warn_of_predecessors_names_similar_schedules_of_the_namespace() -> None:
    """A misspelled predecessor is corrected. Otherwise the others are listed."""
    found = inspect_links({"hourly": "", "a": "hourli", "b": "elsewhere"})
    assert "no schedule in the namespace default has the name 'hourli'; did you mean hourly?" in found["a"].warnings[0]
    assert "the name 'elsewhere'; write one of a, hourly (only these files were searched)" in found["b"].warnings[0]
