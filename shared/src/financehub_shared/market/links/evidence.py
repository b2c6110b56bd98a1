"""Judges from the words around an ambiguous name whether it means the asset.

Each sign adds or subtracts points, and a name needs as many points as its `Doubt`. "Apple pie recipes" has no
points, and "Apple raises prices" has two for the verb. ADR 0062 explains the choice of signs.
"""

from financehub_shared.core.kinds import AssetKind
from financehub_shared.market.links import vocabulary as v
from financehub_shared.market.links.headline import Headline
from financehub_shared.market.links.owners import Family, Owner
from financehub_shared.market.links.tokens import Style, Token

#: Fewer points than any name can have.
IMPOSSIBLE = -99
_QUOTES = frozenset({"'", '"', "“", "”"})
_LEGAL_FORMS = frozenset({"inc", "corp", "corporation", "plc", "ltd", "ag", "se"})
_JOINTS = frozenset({"-", "/", "."})
#: Points for a sign that is decisive by itself, a sign that nearly is, and a sign that only helps.
_DECIDES, _STRONG, _WEAK = 4, 2, 1


def points(headline: Headline, start: int, end: int, owner: Owner) -> int:
    """Return the points of the name that consists of the words from `start` up to, but not including, `end`.

    Args:
        headline: The headline.
        start: Index of the first word of the name.
        end: Index after the last word of the name.
        owner: The asset. Its family decides which words fit it: companies have dividends, and coins have wallets.
    """
    if not owner.known.other.isdisjoint(headline.words):
        return IMPOSSIBLE
    unlike = min(2, len(owner.known.unlike & headline.words))
    return (
        _of_capitals(headline, start, end, owner)
        + _of_next(headline, start, end, owner)
        + _of_previous(headline, start, end, owner)
        + _of_context(headline, owner)
        - 2 * unlike
        - 3 * _is_quoted(headline, start, end)
    )


def _is_quoted(headline: Headline, start: int, end: int) -> bool:
    """Whether only the name is in quotation marks, as in `the war 'Strategy' fails`, where it is an ordinary word."""
    following = headline.tokens[end].gap if end < len(headline.tokens) else "'"
    return headline.tokens[start].gap[-1:] in _QUOTES and following[:1] in _QUOTES


def _of_capitals(headline: Headline, start: int, end: int, owner: Owner) -> int:
    first = headline.tokens[start]
    if headline.foreign_script:
        return 3
    if first.shouted and len(first.text) > 2 and headline.style is not Style.SHOUTED:
        return 1
    if headline.style is not Style.SENTENCE or not first.capital or headline.begins_sentence(start):
        return 0
    if headline.continues_in_capitals(end):
        return 0
    # a capitalized word is a company more often than a coin
    return 1 if owner.family is Family.COIN else 2


def _of_context(headline: Headline, owner: Owner) -> int:
    own = not owner.known.own.isdisjoint(headline.words)
    match owner.family:
        case Family.COIN:
            return own + (not v.COIN_WORDS.isdisjoint(headline.words))
        case Family.MARKET:
            return int(headline.is_about_shares)
        case Family.COMPANY:
            return own + headline.is_about_shares


def _of_next(headline: Headline, start: int, end: int, owner: Owner) -> int:
    branch, last = headline.after(end), headline.tokens[end - 1]
    if branch and branch.capital and branch.key in v.COUNTRIES and not last.possessive:
        end, last = end + 1, branch
    # a comma may precede the legal form: `Gap, Inc.`
    legal = headline.tokens[end].key if end < len(headline.tokens) else ""
    if legal in _LEGAL_FORMS and owner.family is not Family.MARKET:
        return _DECIDES
    after = headline.after(end)
    if after is None:
        return _of_end(headline, end, owner)
    if after.noted or after.gap in _JOINTS:
        return _of_joint(after, owner)
    if after.base in owner.known.own:
        return _STRONG + last.possessive
    if after.key == "of":
        return -3
    return _of_next_word(headline, after, start, end, owner)


def _of_joint(after: Token, owner: Owner) -> int:
    """Return the points of a joined word or a notation after the name: `Microsoft-backed`, `Amazon.com`."""
    if after.noted:
        return _STRONG
    if after.gap == "-":
        return 3 if after.base in v.RELATIONS and owner.family is not Family.MARKET else -_DECIDES
    return 3 if after.key == "com" else 0


def _of_next_word(headline: Headline, after: Token, start: int, end: int, owner: Owner) -> int:
    possessive = headline.tokens[end - 1].possessive
    match owner.family:
        case Family.MARKET:
            gained = _STRONG if possessive else _of_word_after_market(after, owner)
        case Family.COIN:
            gained = _of_word_after_coin(headline, after, end)
        case Family.COMPANY:
            gained = _of_word_after_company(headline, after, start, end)
    if gained or possessive or not headline.continues_in_capitals(end):
        return gained
    # a longer name is likely, and certain if only names are capitalized: `Target Hospitality`, `Orange Polska`
    is_name = not headline.readings(after) and after.text.isalpha()
    return -3 if headline.style is Style.SENTENCE else -2 * is_name


def _of_end(headline: Headline, end: int, owner: Owner) -> int:
    if headline.tokens[end - 1].possessive:
        return _STRONG
    gap = headline.tokens[end].gap.strip() if end < len(headline.tokens) else ""
    begins_list = gap == "," and headline.style is Style.SENTENCE
    is_heading = gap == ":" and end == 1
    return int((begins_list or is_heading) and owner.family is not Family.COIN)


def _of_word_after_market(after: Token, owner: Owner) -> int:
    if after.key in v.MOVES or after.key in v.MARKET_VERBS or after.key in v.FOREIGN_VERBS:
        return 3
    if after.key in {"and", "or", "to", "at", "as"}:
        return 0
    nouns = v.FUTURE_NOUNS if owner.kind is AssetKind.FUTURE else v.INDEX_NOUNS
    return _STRONG if after.base in nouns or after.key in v.AUXILIARIES else -2


def _of_word_after_coin(headline: Headline, after: Token, end: int) -> int:
    if after.base in v.COIN_NOUNS or after.base in v.COIN_ORGANIZATIONS:
        return 3
    acts = after.key in v.BUSINESS_VERBS and not {"z", "d"}.isdisjoint(headline.readings(after))
    if acts or after.base in v.LOOSE_COIN_NOUNS or after.key in v.AUXILIARIES:
        return _WEAK
    return _WEAK if after.key in v.MOVES and headline.is_verb(end) else 0


def _of_word_after_company(headline: Headline, after: Token, start: int, end: int) -> int:
    last, following = headline.tokens[end - 1], headline.after(end + 1)
    if last.possessive:
        return 3 if after.base in v.BUSINESS_NOUNS else _STRONG
    if _is_phrase(headline, after, following) or after.key in v.FOREIGN_VERBS:
        return _STRONG
    if after.base in v.BUSINESS_NOUNS and not (following and (after.base, following.base) == ("stock", "market")):
        is_adjective = end - start == 1 and not {"a", "r"}.isdisjoint(headline.readings(last))
        if is_adjective and after.base != "shares":
            return 0  # the name may be an adjective: `Stellar Earnings`, `Next CEO`
        return _WEAK if after.base in v.LOOSE_NOUNS else _STRONG
    if after.key == "to" and following:
        is_action = "v" in headline.readings(following) and headline.style is Style.SENTENCE
        return _STRONG if is_action or following.key in v.BUSINESS_VERBS else 0
    return _of_verb_after_company(headline, after, start, end)


def _is_phrase(headline: Headline, after: Token, following: Token | None) -> bool:
    if following and (after.base, following.base) in v.PHRASES:
        return True
    if following and after.base in v.PERIODS and following.base in v.PERIODS:
        return True
    if after.key == "in":
        return "talks" in headline.words
    is_question = after.key == "a" or (after.key == "is" and following is not None and following.key == "a")
    return is_question and not v.TRADES.isdisjoint(headline.words)  # `Is Target a buy?`


def _of_verb_after_company(headline: Headline, after: Token, start: int, end: int) -> int:
    readings = headline.readings(after)
    # after a name of several words, the next word is unlikely to be a noun: `Sage Therapeutics surges`
    is_verb = end - start > 1 or headline.is_verb(end)
    # a company is singular, so `Snap Judge` is not a subject with its verb
    is_singular = not {"z", "d", "g"}.isdisjoint(readings) or "v" not in readings
    if after.key in v.PASSIVES or (after.key in v.BUSINESS_VERBS and is_singular and is_verb):
        following = headline.after(end + 1)
        # only the subject of the verb can be meant by `its`, as in `Next Opens Its First Store`
        return 3 if following is not None and following.key == "its" and "z" in readings else _STRONG
    if after.key in v.AUXILIARIES:
        return 3 if _is_active(headline, end) else _WEAK
    if "z" in readings and after.key not in v.IMPERSONAL and is_verb:
        return _STRONG
    return _WEAK if after.key in v.MOVES and is_verb else 0


def _is_active(headline: Headline, place: int) -> bool:
    """Whether an auxiliary and a verb of companies follow: `Is Hiring`, `Has Raised`, `Will Open 20 Stores`."""
    auxiliary, verb, following = headline.tokens[place], headline.after(place + 1), headline.after(place + 2)
    if verb is None or verb.key not in v.BUSINESS_VERBS or verb.key in v.THINGS_DO:
        return False
    form = {"is": "g", "are": "g", "was": "g", "has": "d", "had": "d"}.get(auxiliary.key, "v")
    if form not in headline.readings(verb) and form not in _form_of(verb):
        return False
    if verb.key not in v.OBJECTLESS:
        return True
    return following is not None and headline.is_object(following) and "r" not in headline.readings(following)


def _form_of(verb: Token) -> str:
    """Return the form of a verb by its ending, because the word list has some verbs only as adjectives or nouns."""
    if verb.key.endswith("ing"):
        return "g"
    return "d" if verb.key.endswith("ed") else "v"


def _of_previous(headline: Headline, start: int, end: int, owner: Owner) -> int:
    before = headline.before(start)
    if before is None or before.possessive:
        return 0
    if headline.tokens[start].gap == "-":
        return _WEAK if before.key in {"non", "ex", "anti"} or before.shouted else -3
    if before.key in v.DETERMINERS:
        return _of_determiner(headline, before, end)
    if _is_subject(headline, before, start):
        after = headline.after(end)
        return 0 if after is None or after.key in v.CONNECTORS else -2
    return _of_word_before(headline, before, start, end, owner)


def _of_word_before(headline: Headline, before: Token, start: int, end: int, owner: Owner) -> int:
    if _is_strong_before(headline, before, start, end):
        # `exchange operator Nasdaq` is not an index
        return -3 if owner.family is Family.MARKET else _STRONG
    if before.base in owner.known.own or before.key in v.VERBS_ON_COMPANIES or before.key in v.BEFORE_COMPANIES:
        return _WEAK
    is_neutral = before.key in v.AUXILIARIES or before.key in v.NEUTRAL or before.key in v.FOREIGN_ARTICLES
    return 0 if is_neutral else _of_noun_before(headline, before, start)


def _is_strong_before(headline: Headline, before: Token, start: int, end: int) -> bool:
    """Whether a role or an investor's action precedes a name: `retailer Target`, `shares of Gap`, `bullish on Visa`."""
    if before.base in v.ROLES or (before.key in v.TRADES and headline.after(end) is None):
        return True
    earlier = headline.before(start - 1)
    if earlier is None:
        return False
    return (before.key in {"of", "in"} and earlier.base in v.SHARES_OF) or (
        before.key == "on" and earlier.base in v.VIEWS_ON
    )


def _is_subject(headline: Headline, before: Token, place: int) -> bool:
    """Whether the word before a name makes the name its verb or object: `Stocks Snap Streak`, `UK Shares Intel`."""
    token = headline.tokens[place]
    can_be_verb = "v" in headline.readings(token) or token.key in v.BUSINESS_VERBS or token.key in v.PRICE_VERBS
    if before.key == "shares" or (before.key.endswith("s") and before.base in v.ROLES and can_be_verb):
        return True
    if headline.style is Style.SENTENCE or not can_be_verb or not _is_plural_noun(headline, before):
        return False
    earlier, after = headline.before(place - 1), headline.after(place + 1)
    is_counted = earlier is not None and earlier.text[0].isdigit()  # `3 Reasons Target Could Double`
    has_own_verb = after is not None and (after.key in v.AUXILIARIES or headline.readings(after).startswith("z"))
    return not (is_counted or has_own_verb or token.possessive)


def _is_plural_noun(headline: Headline, token: Token) -> bool:
    """Whether a word can only be a noun in the plural: `Regulators` in `Regulators Block Merger`."""
    is_plural = token.key.endswith("s") and not token.key.endswith("ss")
    return is_plural and headline.readings(token).startswith("n") and "z" not in headline.readings(token)


def _of_determiner(headline: Headline, before: Token, end: int) -> int:
    after = headline.after(end)
    if after is not None and after.base in v.BUSINESS_NOUNS:
        return -1
    qualifies = after is not None and "n" in headline.readings(after) and before.key in v.BEFORE_MODIFIERS
    return -2 if qualifies else -3


def _of_noun_before(headline: Headline, before: Token, start: int) -> int:
    """Return the points of the word before a name, which may form a compound: `Student Visa`, `Trafalgar Square`."""
    readings, is_sentence = headline.readings(before), headline.style is Style.SENTENCE
    if is_sentence and not before.capital:
        return 0
    if before.shouted and len(before.text) <= 3 and headline.style is not Style.SHOUTED:
        return -1 if is_sentence else -2  # `US Visa`
    if before.base in headline.english.places:
        return -2  # `China Southern`
    if "r" in headline.readings(headline.tokens[start]) and not {"z", "d"}.isdisjoint(readings):
        return -2  # `What Comes Next`
    is_plural = before.key.endswith("s") and not before.key.endswith("ss")  # `3 Reasons Visa`
    if not {"n", "a"}.isdisjoint(readings) and "r" not in readings and not is_plural:
        return -1 if is_sentence and headline.begins_sentence(start - 1) else -2
    return -2 if not readings and before.capital else 0
