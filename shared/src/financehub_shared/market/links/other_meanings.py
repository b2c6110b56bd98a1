"""Recognizes from the words around a name that it is another name, or is not a name at all."""

import re
from unicodedata import category

from financehub_shared.core.kinds import AssetKind
from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.headline import Headline
from financehub_shared.market.links.other_indices import is_not_the_index, is_source
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style

#: Digits with a unit. They are an amount more often than the company 3M.
_AMOUNT = re.compile(r"\d+(?:k|m|mn|b|bn|t)")
_COUNTED_PEOPLE = frozenset({"people", "children", "men", "women"})
#: Words that make the name before them that of a listed subsidiary: `Orange Belgium`, `Orange Polska`.
_LISTED_BRANCHES = v.word_set("""
    belgium chile brasil polska deutschland espana nederland osterreich oesterreich schweiz suisse romania hrvatska
    magyar slovensko cesko
""")
#: Codes and names of currencies that precede an amount.
_CURRENCIES = v.word_set("""
    usd eur gbp jpy chf aud cad nzd hkd sgd inr rs cny rmb krw brl mxn zar sek nok dkk pln myr rm idr php thb ngn kes
""")
#: Prepositions before the name of a place.
_PLACE_PREPOSITIONS = v.word_set("in near at outside around")
#: Directions after a verb for movements of prices: `shares gap up`.
_DIRECTIONS = v.word_set("up down higher lower")
#: Given names that are more often months, places or other words.
_NOT_GIVEN_NAMES = v.word_set("""
    april june august may china india america asia georgia virginia carolina austin dallas houston jordan israel kenya
    london paris chelsea brooklyn sydney victoria charlotte madison cleveland denver alpha amber angel art autumn brain
    chance charity chase crystal destiny drew earnest forest foster hope hung junior king long ma major man manual mi
    noble numbers pearl precious prince queen rich royal ruby sol son soon sterling sue summer sun sung van ward young
""")


def is_another_name(headline: Headline, start: int, end: int, owner: Owner) -> bool:
    """Whether the words around a name show that it is part of another name, or means something else.

    Args:
        headline: The headline.
        start: Index of the first word of the name.
        end: Index after the last word of the name.
        owner: The asset that has the name.
    """
    if owner.kind is AssetKind.INDEX and is_not_the_index(headline, start, end):
        return True
    if owner.family is Family.MARKET and is_source(headline, start, end):
        return True
    if end - start == 1 and _means_something_else(headline, start, owner):
        return True
    return owner.family is Family.COMPANY and (_is_other_organization(headline, end) or _is_place(headline, start, end))


def is_shouted_word(headline: Headline, place: int, symbol: str) -> bool:
    """Whether a word in capitals that equals a company's ticker is another acronym: `SNAP benefits`.

    It is for companies that do not write their names in capitals. Such a word means the company only if the next words
    show that it is a ticker or a name: `SNAP stock`, `GAP Inc.`, `SNAP jumps 12%`.
    """
    token, after, following = headline.tokens[place], headline.after(place + 1), headline.after(place + 2)
    if headline.style is Style.SHOUTED or not token.shouted or token.possessive or token.text != symbol:
        return False
    if after is None:
        return True
    is_move = after.key in v.TICKER_MOVES and following is not None and following.text[0].isdigit()
    is_legal_form = after.capital and after.base in v.LEGAL_FORMS
    return not (is_move or is_legal_form or after.noted or after.base in v.AFTER_TICKERS)


def _means_something_else(headline: Headline, place: int, owner: Owner) -> bool:
    """Whether a name of one word is an amount, a verb, a job title, a surname or the end of another name."""
    if not owner.known.other.isdisjoint(headline.words):
        return True
    if owner.kind is AssetKind.FUTURE and _is_of_a_company(headline, place):
        return True
    return (
        _is_amount(headline, place, owner)
        or _is_movement(headline, place)
        or _is_job_title(headline, place, owner)
        or _is_surname(headline, place)
    )


def _is_amount(headline: Headline, place: int, owner: Owner) -> bool:
    """Whether digits with a unit are an amount: `$3M` and `3M barrels` are; `3M shares rise` is about the company."""
    if not _AMOUNT.fullmatch(headline.tokens[place].base):
        return False
    return _is_of_currency(headline, place) or not _is_digits_of_a_company(headline, place, owner)


def _is_digits_of_a_company(headline: Headline, place: int, owner: Owner) -> bool:
    """Whether digits with a unit, but without a currency, are a name: `Judge clears 3M earplug settlement`."""
    token, before, after = headline.tokens[place], headline.before(place), headline.after(place + 1)
    is_legal_form = after is not None and after.capital and after.base in v.LEGAL_FORMS - {"shares", "stock"}
    if token.possessive or is_legal_form or (before is not None and before.base in v.ROLES):
        return True
    counts = _counts(headline, place + 1)
    acts = after is not None and (after.key in v.BUSINESS_VERBS or after.key in v.MOVES)
    if before is None or before.key in v.NEUTRAL:
        return acts or not counts or (after is not None and after.base in v.BUSINESS_NOUNS)
    if counts or before.text[0].isdigit():
        return False
    is_object = before.key in v.VERBS_ON_COMPANIES or before.key in v.BEFORE_COMPANIES - {"to", "between", "beyond"}
    is_noun = after is not None and "n" in headline.readings(after) and after.key not in v.PREPOSITIONS
    return acts or is_object or is_noun or not owner.known.own.isdisjoint(headline.words)


def _counts(headline: Headline, place: int) -> bool:
    """Whether a number counts what the next words name: `3M barrels`, `3M Nvidia shares`."""
    after, following = headline.after(place), headline.after(place + 1)
    if after is None or after.key in v.PREPOSITIONS:
        return False
    is_plural = after.key.endswith("s") and not after.key.endswith("ss") and "n" in headline.readings(after)
    is_of_shares = following is not None and after.capital and following.key == "shares"
    return is_plural or is_of_shares or after.key in _COUNTED_PEOPLE


def _is_of_currency(headline: Headline, place: int) -> bool:
    """Whether a currency, or the first digits of the same number, precede the digits: `$3M`, `EUR 3M`, `1.3M`."""
    gap = headline.tokens[place].gap
    if gap.strip() and category(gap.strip()[-1]) == "Sc":
        return True
    before = headline.tokens[place - 1] if place else None
    if before is None:
        return False
    return before.key in _CURRENCIES or (before.text[-1].isdigit() and not gap.isspace())


def _is_movement(headline: Headline, place: int) -> bool:
    """Whether a name is a verb for the movement of a price: `Shares Gap Up To $4`."""
    token, before, after = headline.tokens[place], headline.before(place), headline.after(place + 1)
    if token.key not in v.PRICE_VERBS or after is None or after.key not in _DIRECTIONS:
        return False
    following = headline.after(place + 2)
    return before is not None or following is None or not following.text[0].isdigit()


def _is_job_title(headline: Headline, place: int, owner: Owner) -> bool:
    """Whether an acronym of two letters is a job title, because a person follows: `GM Brian Cashman`."""
    token, given, surname = headline.tokens[place], headline.after(place + 1), headline.after(place + 2)
    if not token.shouted or len(token.text) != 2 or given is None or surname is None:
        return False
    if not given.capital or not surname.capital or not owner.known.own.isdisjoint(headline.words):
        return False
    english = headline.english
    if given.base in english.first_names and given.base not in _NOT_GIVEN_NAMES:
        return headline.style is Style.SENTENCE or given.base not in english.readings
    return given.base not in english.readings and surname.base in english.persons


def _is_surname(headline: Headline, place: int) -> bool:
    """Whether a given name precedes a name that can be a surname: `Tom Ford`, `Rob Lowe's`."""
    before, token = headline.before(place), headline.tokens[place]
    if not before or before.possessive or not before.capital or "-" in {before.gap, token.gap}:
        return False
    english = headline.english
    if before.base not in english.first_names or before.base in _NOT_GIVEN_NAMES:
        return False
    is_auxiliary = before.key in v.AUXILIARIES and headline.begins_sentence(place - 1)
    if before.base in english.readings and (headline.style is not Style.SENTENCE or is_auxiliary):
        return False
    return token.base in english.persons or token.base in english.readings or token.possessive


def _is_of_a_company(headline: Headline, place: int) -> bool:
    """Whether the name of a commodity is the end of a company's name: `Barrick Gold`."""
    before, token = headline.before(place), headline.tokens[place]
    if before is None or not token.capital or not before.text[0].isupper():
        return False
    return not headline.readings(before) and before.key not in v.COMMODITY_EXCHANGES


def _is_other_organization(headline: Headline, end: int) -> bool:
    """Whether the next words make it the name of another organization: `Ford Foundation`, `Orange Polska`."""
    after = headline.after(end)
    if after is None or headline.tokens[end - 1].possessive or not after.capital:
        return False
    branch = headline.after(end + 1) if after.key in {"bank", "banco"} else after
    is_subsidiary = branch is not None and branch.capital and branch.key in _LISTED_BRANCHES
    # an adjective may come between: `Goldman Environmental Prize`
    last = headline.after(end + 1) if headline.readings(after).startswith("a") else after
    return is_subsidiary or (last is not None and last.capital and last.base in v.ORGANIZATIONS)


def _is_place(headline: Headline, start: int, end: int) -> bool:
    """Whether a name is that of a place, because its country follows: `a volcano near Santander, Colombia`."""
    before = headline.before(start)
    if before is None or before.key not in _PLACE_PREPOSITIONS or end >= len(headline.tokens):
        return False
    country, english = headline.tokens[end], headline.english
    return country.gap == ", " and country.capital and (country.base in english.places or country.key in v.COUNTRIES)
