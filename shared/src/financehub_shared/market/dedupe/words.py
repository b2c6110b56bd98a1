"""Lists the words that do not make another story, and words too general to identify one. All are in lower case.

A wrongly dropped story is lost, whereas a duplicate is only shown twice. Therefore, every word that is not in these
lists makes another story. In particular, they do not contain negations, directions, prepositions of direction (`to`,
`from`, `by`, `before`) and modal verbs except `will`.
"""

import re
from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that headlines add or leave out. `after` and `as` connect the same two events, in contrast to `before`.
HARMLESS = _words("""
    a an the is are was were be been being has have had its their in on at of as amid after and with that inc
""")

#: Harmless words that make a question at the start of a headline: `Has Bitcoin bottomed`.
AUXILIARY = _words("is are was were has have had")

#: Words of headlines that ask or explain something. Different publishers give different answers, so these are
#: different articles.
QUESTIONS = _words("? how what when which who why should could would may might vs versus or")

#: Legal forms that headlines add to the name of a company. `Ltd` and `AG` are not among them, because in many
#: countries groups have a subsidiary with their own name.
LEGAL_FORMS = _words("corp plc se")

#: Function words that exist only in English. A headline without them and without forms of English verbs may be in
#: another language, in which harmless words mean something else. In `Carlyle verkauft an Siemens`, `an` precedes the
#: buyer.
_ENGLISH = _words("""
    to for from by with without into about against than before after amid ahead its their that this what why how who
    when are were been being have could would should says soar climb tumble plunge weaken strengthen buy sell seek weigh
    urge
""")
#: Function words that are evidence of English only before a word in lower case, because names of companies contain them
#: too.
JOINING = _words("the of and")

#: Verbs whose past tense does not mean the passive voice in headlines. In contrast, `sued` may reverse the roles of
#: `sues`.
_ACTIVE_VERBS = """
    announce report post declare unveil reveal signal deliver climb gain jump surge soar plunge tumble slump weaken
    strengthen slow ease close open raise lift hike boost lower start end resume continue remain widen narrow double
    triple expand launch reach
"""
_VERBS = """
    buy sell see seek weigh eye face expect win lose plan agree sign approve reject block probe keep make take name get
    set let leave want need urge tell ask call warn add move turn show test back draw pay spend invest join build hire
    fire file settle appeal answer
"""
#: Words of which only a final `s` is removed, because the form with `ing` means something else (`rating`, `offering`).
#: `stock` is not one of them: `The Best Dividend Stocks` and `The Best Dividend Stock` are different articles.
_NOUNS = """
    share result profit sale revenue price rate cost job tariff fear hope worry outlook forecast estimate dividend
    earning offer hold delivery
"""
#: In each line, the first word is the base form of the others.
_IRREGULAR = """
    rise rises rose risen rising
    fall falls fell fallen falling
    sink sinks sank sunk sinking
    slide slides slid sliding
    shrink shrinks shrank shrunk shrinking
    grow grows grew grown growing
    begin begins began begun beginning
    say says
    hit hits hitting
    beat beats beating
    cut cuts cutting
    drop drops dropped dropping
    slip slips slipped slipping
    trim trims trimmed trimming
    top tops topped topping
    recall recalls recalled recalling
    slash slashes slashed slashing
    miss misses missed missing
    rally rallies rallied rallying
"""
#: Words that British English spells with `our`. `labor` is not one of them, because the names of two political
#: parties differ only in this spelling.
_OUR = "favor favors favored rumor rumors neighbor neighbors"
_SPELLINGS = """
    loss losses
    defense defence
    aluminum aluminium
    to will
    vs versus
    jan january
    feb february
    apr april
    jun june
    jul july
    aug august
    sep sept september
    oct october
    nov november
    dec december
    2 two
    3 three
    4 four
    5 five
    6 six
    7 seven
    8 eight
    9 nine
    10 ten
    11 eleven
    12 twelve
    20 twenty
"""


def _with_s(word: str) -> str:
    if re.search("[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("ch", "sh", "s", "x")) else "s")


def _verb_forms() -> Iterable[tuple[str, str]]:
    active = _ACTIVE_VERBS.split()
    for word in (*active, *_VERBS.split()):
        yield _with_s(word), word
        doubled = re.fullmatch("[^aeiou]+[aeiou][nt]", word)
        stem = word + word[-1] if doubled else re.sub("(?<![ey])e$", "", word)
        yield stem + "ing", word
        if word in active:
            yield stem + "ed", word
    yield from _lines(_IRREGULAR)


def _lines(text: str) -> Iterable[tuple[str, str]]:
    for line in text.strip().splitlines():
        base, *others = line.split()
        yield from ((other, base) for other in others)


_VERB_FORMS = dict(_verb_forms())
#: Form of a word → its base form.
BASE_FORM = {_with_s(word): word for word in _NOUNS.split()} | _VERB_FORMS | dict(_lines(_SPELLINGS))
BASE_FORM |= {word.replace("or", "our"): word for word in _OUR.split()}
#: Words that show that a headline is in English. Some forms of verbs are excluded, because they are also words of other
#: languages.
ENGLISH = _ENGLISH | (_VERB_FORMS.keys() - _words("rose fell sank sunk"))

#: Base forms of words in headlines that recur every day, and in announcements that every company makes.
GENERIC = _words("""
    ? to for from by or it this what how why you your our we not all new s re ii iii iv v
    now today tonight tomorrow yesterday daily weekly monthly quarterly annual yearly interim half year quarter month
    week day date morning midday evening midweek weekend monday tuesday wednesday thursday friday saturday sunday
    jan feb mar march apr may jun jul aug sep oct nov dec ended ending
    first second third fourth final preliminary full fiscal update live latest recent breaking news wrap recap summary
    roundup review preview outlook brief briefing bulletin report statement announcement announce notice notification
    letter press release transcript call earning result profit revenue sale account balance sheet fact factsheet
    presentation slide webcast replay conference financial highlights operational operating production drilling activity
    activities general meeting agm egm proxy vote voting poll proposal proposed resolution right equity issue issuance
    share stock shareholding shareholder holding holder major transaction own repurchase redemption early treasury
    option warrant grant exercise award vesting director directors directorate pdmr dealing dealings manager persons
    person board management change appointment resignation retirement confirmation auditor adviser broker registered
    office name company corporate group plc ltd limited corp corporation co sa ag nv trust fund net asset value nav
    portfolio estimated unaudited audited total capital block blocklisting listing listed delisting suspension
    restoration additional return admission trading trade application prospectus base supplementary supplement pricing
    publication posting doc document form filing rule disclosure position compliance model code offer recommended
    possible cash placing subscription open scheme court sanction effective becomes contract completion acquisition
    disposal stabilisation stabilization variable frn coupon payment fix rate opening closing close market index future
    etf price monitoring extension auction volume dividend buyback declaration ex record schedule calendar event key top
    mover movers gainer gainers loser losers winner winners most active gold silver oil bitcoin crypto cryptocurrency
    forex premarket pre after hours chart charts watch watchlist analysis forecast prediction technical view
""")

#: Base forms of verbs that report a market event.
EVENTS = {*_ACTIVE_VERBS.split(), *(base for _, base in _lines(_IRREGULAR))} - GENERIC - _words("say close end start")

#: Announcements that one issuer may make several times a day with the same title, for different holders or
#: securities.
ROUTINE = re.compile(
    r"\b(?:form \d|rule 8|dealing disclosure|pdmr|holding s in company|major holdings?|own shares?|voting rights"
    r"|net asset values?|block ?listing|price monitoring|variable rate fix|rate fixing|coupon payment|final terms"
    r"|base prospectus|prospectus supplement|stabili[sz]ation notice)\b"
)
