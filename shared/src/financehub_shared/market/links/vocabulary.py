"""Lists the words around a name that show whether it means a company, a coin or a market. All are in lower case."""


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text that are separated by spaces."""
    return frozenset(text.split())


def _forms(bases: str) -> frozenset[str]:
    """Return the verbs with their regular forms: `raise` → raise, raises, raised, raising."""
    found: set[str] = set()
    for base in bases.split():
        stem = base.removesuffix("e")
        s_form = base[:-1] + "ies" if base.endswith("y") and base[-2] not in "aeou" else base + "s"
        if base.endswith(("s", "x", "ch", "sh", "z")):
            s_form = base + "es"
        d_form = base[:-1] + "ied" if s_form.endswith("ies") and base.endswith("y") else stem + "ed"
        found |= {base, s_form, d_form, stem + "ing"}
        if base[-1] in "bdgmnprt" and base[-2] in "aeiou" and base[-3:-2] not in "aeiou":
            found |= {base + base[-1] + "ed", base + base[-1] + "ing"}
    return frozenset(found)


#: Verbs for what companies do in headlines. Few of these verbs also follow an ordinary noun.
BUSINESS_VERBS = _forms("""
    raise cut post report beat miss top unveil launch buy acquire sell hire name appoint plan say see expect warn settle
    sue agree win lose recall halt open close expand invest announce tap face file pay offer join bet seek eye weigh
    consider price issue delay cancel suspend scrap resume restart deny reject accept approve boost lift lower trim
    slash double triple swing forecast predict project reaffirm maintain confirm update upgrade downgrade declare redeem
    repurchase list delist merge spin split divest exit enter team partner sign ink strike complete finalize finish
    begin start stop end ship deliver produce build design develop test trial roll introduce release reveal show
    showcase tout pitch market advertise promote charge fine refund fix patch remove ban block restrict limit allow let
    ask urge press push pull back fund lend borrow owe default restructure reorganize lay fire furlough dismiss oust
    replace poach relocate move shift return bring take give make get go keep hold own add grow shrink gain drop pare
    ramp scale accelerate slow brace prepare rethink revamp overhaul refresh rebrand rename relaunch target aim pledge
    vow promise commit donate contribute defend dispute appeal challenge counter respond reply apologize admit
    acknowledge disclose publish call explore review probe investigate outline detail drag ditch dump shed offload snap
    scoop grab land secure clinch bag nab book log notch mint hit reach surpass exceed outperform underperform lead lag
    trail overtake dominate compete crack impose require mandate stock supply source outsource insource use adopt deploy
    install run operate manage turn try want need plot mull near propose present host attend withdraw pause extend renew
    prolong terminate quit leave stay remain become set cost struggle stumble rally jump weather battle fight squeeze
    tighten loosen ease simplify attract draw lure woo retain regain recover rescue save bail dodge avoid evade escape
    skip forgo pilot rent lease license allocate earmark splash spend pour pump inject funnel hike rival work discover
    collaborate cooperate integrate unify combine absorb swallow refinance repay reinstate restore blame credit thank
    praise criticize slam blast attack accuse alert notify inform tell unite bid outbid revive emerge enjoy suffer incur
    write generate rake reap pocket score earn profit benefit teach train retrain
""") | word_set("""
    bought sold won lost said saw sees chose hits cuts sets puts lets told paid made took gave got went kept held grew
    shrank led built spent lent became began fought withdrew drew hid rose fell left met meets meet swung struck bid
    forges vows eyes targets overhauls opts opt lays laid backs wins
""")
#: Verbs for movements of prices and markets.
MOVES = _forms("""
    rise fall jump drop gain slip slide surge soar plunge tumble climb rally sink edge dip advance decline retreat
    rebound crash skyrocket plummet spike pop slump inch recover ease steady settle firm weaken strengthen stall
    consolidate swing stumble bounce outperform underperform rocket dive sag shed pare extend hover trade close end
    finish open hold break bleed pull hit top cross breach reclaim test eye near reach touch notch log post snap erase
    trim wipe flip move correct struggle target face add lose retrace stabilize waver wobble drift creep crater tank
""") | word_set(
    "rose fell sank held broke shed hit hits up down higher lower flat slid rallies won lost saw sees set sets"
)
#: Nouns that follow the names of companies.
BUSINESS_NOUNS = word_set("""
    stock shares shareholder shareholders stockholders investor investors earnings profit profits revenue revenues sales
    dividend dividends buyback buybacks ceo cfo coo cto chief boss chairman chairwoman chair executive executives exec
    execs board guidance outlook forecast forecasts results margin margins valuation ipo spinoff spin-off merger
    takeover acquisition layoffs employees staff customers store stores plant plants factory factories supplier
    suppliers founder cofounder co-founder lawsuit antitrust recall bonds rating inc corp corporation plc ltd llc ag se
    nv sa spa co company's headquarters hq subsidiary franchise franchisees logo app devices device phones phone users
    subscribers president director management rival rivals competitor competitors partner partners analyst analysts bull
    bulls bear bears warehouse dealership dealerships retailer aktie aktien quarterly q1 q2 q3 q4 fy eps ebitda cashflow
    backlog shipments deliveries comps debt notes spokesperson spokesman spokeswoman workers union unions pilots campus
    insider insiders contracts deal bid stake parent owner unitholders creditors bondholders
""")
#: Nouns in `BUSINESS_NOUNS` that also follow an ordinary noun: `block deal`, `visa workers`.
LOOSE_NOUNS = word_set("deal bid stake rating partner partners notes board users customers workers store stores")
#: Words about shares, which make it likely that a headline is about companies.
MARKET_WORDS = word_set("""
    stock stocks share shares shareholder shareholders investor investors earnings revenue revenues profit profits
    dividend dividends buyback guidance outlook analyst analysts upgrade upgrades upgraded downgrade downgrades
    downgraded valuation ipo ceo cfo merger takeover acquisition quarterly quarter q1 q2 q3 q4 eps etf etfs fund funds
    lawsuit lawsuits regulator regulators rally rallies selloff sell-off premarket nasdaq nyse retailer retailers
    billion bln layoffs overweight underweight sales forecast estimates plc inc corp wall antitrust jobs stake unit
    startup firm carmaker automaker chipmaker lender airline supplier suppliers tech
""")
#: Nouns that show that the name before them means a coin.
COIN_NOUNS = word_set(
    "token tokens coin coins blockchain protocol crypto cryptocurrency mainnet defi dao nft nfts staking altcoin"
)
#: Nouns that follow the names of coins, and also other words.
LOOSE_COIN_NOUNS = word_set("""
    price prices network rally bulls bears whale whales holders wallet wallets etf etfs validators miners investors
    foundation labs developers ecosystem traders futures options community upgrade treasury stablecoin burn
""")
#: Organizations and groups of people that run coins.
COIN_ORGANIZATIONS = word_set("foundation validators stakers")
#: Words that make it likely that a headline is about coins.
COIN_WORDS = COIN_NOUNS | word_set("""
    cryptocurrencies cryptos altcoins stablecoin stablecoins memecoin memecoins bitcoin ethereum btc eth web3 onchain
    whale whales halving hashrate binance coinbase kraken airdrop bullish bearish satoshi
""")
#: Words that follow the names of indices and commodities.
INDEX_NOUNS = word_set("""
    index futures points composite average volatility rally selloff close record closes ends volume high low correction
    bull bear trading session stocks recovery losses gains rout component components constituents companies industrials
""")
FUTURE_NOUNS = word_set("price prices futures contract bullion rally demand etf etfs inventories output")
COMMODITY_EXCHANGES = word_set("comex nymex mcx lme us uk")
#: Words for the role of a company, which connect its name with another word: `Visa rival`, `chip giant Intel`.
ROLES = word_set("""
    giant retailer maker company firm lender bank group chain owner parent rival rivals supplier suppliers partner
    chipmaker automaker carmaker drugmaker airline carrier startup unit major operator brand developer stock stocks
    behemoth titan heavyweight competitor stalwart insurer planemaker miner steelmaker broker brokerage fintech
    conglomerate platform store studio streamer network telecom telco peer peers bellwether darling shares company's
    token coin coins altcoin crypto cryptocurrency memecoin blockchain producer cofounder founder ceo boss
""")
#: Verbs whose objects are companies: `sues Apple`.
VERBS_ON_COMPANIES = _forms("""
    sue fine acquire upgrade downgrade join tell order accuse probe urge ask back rival overtake challenge threaten
    leave quit sanction investigate blame warn own buy sell dump ditch love hate pick rate
""") | word_set("bought sold left told says beats over")
#: Participles for what is done to companies: `Apple ordered to pay`.
PASSIVES = word_set("""
    ordered fined sued accused hit urged told asked probed named set forced allowed banned barred blocked cleared hacked
    downgraded upgraded investigated criticized slammed blamed targeted pressed warned seen expected poised ready due
    valued backed cut raised charged given granted awarded hurt helped boosted sanctioned scrutinized questioned grilled
    pushed caught close among back
""")
#: Verbs for what companies do in German, French, Spanish, Portuguese, Italian and Dutch headlines.
FOREIGN_VERBS = word_set("""
    senkt hebt erhoht steigert streicht verkauft kauft baut legt stellt steigt fallt verliert gewinnt meldet erwartet
    kundigt schliesst ubernimmt investiert verdient warnt zahlt ruft annonce lance vend rachete prevoit supprime releve
    abaisse investit veut depasse confirme signe ferme contrata invertira recorta eleva reduce multa demanda anuncia
    lanza vende compra sube baja preve invierte cierra despide gana pierde amplia prepara presenta lanca investe corta
    sobe cai demite annuncia lancia acquista taglia alza chiude scende verhoogt verlaagt verkoopt koopt schrapt verwacht
    sluit stijgt daalt klettert rutscht springt startet dreht notiert gibt recule grimpe chute progresse cloture avance
    perd gagne bondit cae avanza retrocede repunta recua avanca fecha perde ganha guadagna
""")
#: Verbs for what things do: a gap widens, an orange crop fails, intel suggests.
IMPERSONAL = word_set("""
    widens narrows shrinks grows emerges exists persists remains looms suggests explodes kills spreads appears means
    helps comes goes occurs happens matters works rules years prices bills fees crops notes seems tastes contains hurts
    exceeds depends differs varies continues speaks
""")
#: Forms of verbs after a subject that is a plural noun.
PLURAL_VERBS = frozenset(word for word in MOVES if not word.endswith(("ing", "ed", "s"))) | word_set("""
    change hit spark fuel die come go grow mean help hurt loom spread remain keep raise
""")
#: Verbs for what markets do, in addition to `MOVES`.
MARKET_VERBS = word_set("""
    suffers suffered posts posted logs records gets loses enters entered confirms ekes leads crosses gives bucks lags
    pause pauses eke snaps stage stages
""")
#: Prepositions that can precede the name of a company.
BEFORE_COMPANIES = word_set("at by from against with versus vs than like inside behind for to via about between beyond")
PREPOSITIONS = word_set("for on in of at from with by and or as over amid are under between among")
#: Articles and pronouns that precede ordinary nouns, and do not precede names.
DETERMINERS = word_set("the a an no every this that your my our their his her its")
#: Words in `DETERMINERS` that can also precede a name that qualifies a noun: `an Amazon courier`.
BEFORE_MODIFIERS = word_set("a an his her their")
#: Words before a name that are not evidence for or against it.
NEUTRAL = word_set("why how what can and or but as if when")
#: Nouns before `of` or `in` and the name of a company: `shares of Target`.
SHARES_OF = word_set("""
    shares share stake stakes ceo parent bonds shareholders owner chief boss stock unit maker
""")
#: Words for the views of analysts, before `on` and the name of a company: `bullish on Target`.
VIEWS_ON = word_set("""
    target targets bullish bearish rating ratings bet bets view coverage stance positive negative
""")
#: Verbs for what investors do with shares: `time to buy Target?`.
TRADES = word_set("buy buying sell selling own owning short shorting avoid")
#: Two of these words, or a pair in `PHRASES`, after a name show that it means a company: `Apple first-quarter revenue`,
#: `Shell under fire`.
PERIODS = word_set("first second third fourth full half quarter year quarterly q1 q2 q3 q4")
PHRASES = frozenset(
    [
        ("price", "target"),
        ("under", "fire"),
        ("under", "pressure"),
        ("under", "scrutiny"),
        # `beats on revenue`
        ("beats", "on"),
        ("beat", "on"),
        ("misses", "on"),
        ("missed", "on"),
        ("same", "store"),
        ("non", "gaap"),
    ]
)
#: Names of countries and continents that make the name before them that of a company's branch: `Amazon India`.
COUNTRIES = word_set("india uk us usa europe china japan canada germany france italy spain brazil mexico asia africa")
#: Verbs for movements of prices that are also names: `shares gap up`.
PRICE_VERBS = frozenset({"gap"})
#: Articles and similar short words of other languages.
FOREIGN_ARTICLES = word_set("der die das den dem le la les el los il lo o os de")
#: Acronyms for investment themes, countries and the like: an `AI stock` is not a share of C3.ai.
THEMES = word_set("ai it ev us uk eu pc tv pe vc ar vr uae oil dr hr pr ip")
#: Words that follow the ticker of a share: `KO stock`.
AFTER_TICKERS = word_set("stock shares earnings calls puts options dividend investors bulls bears")
#: Verbs for what things do: a gap closes, a visa costs. Verbs in `OBJECTLESS` are for companies if an object follows.
OBJECTLESS = _forms("close widen narrow grow shrink rise fall move change open shift end begin start stop")
THINGS_DO = _forms("""
    work cost need require remain become allow expire set help hit make get keep give take hold turn run test bring stay
    try return
""") | word_set("made got kept gave took held brought ran")
#: Words that follow the ticker of a fund, and words that make it likely that a headline is about funds.
AFTER_FUNDS = word_set("etf options calls puts holders holdings inflow inflows outflow outflows")
FUND_WORDS = word_set("etf etfs fund funds")
ABOUT_FUNDS = FUND_WORDS | word_set("inflow inflows outflow outflows")
FUND_FAMILIES = word_set("spdr ishares vanguard invesco proshares direxion wisdomtree schwab fidelity amundi xtrackers")
#: Verbs for movements of a ticker in capitals, and the words that follow them: `LINK jumps 11%`, `SPY closes above`.
TICKER_MOVES = _forms("""
    rise fall jump drop gain slip slide surge soar plunge tumble climb rally sink edge dip rebound crash close trade see
""") | word_set("rose fell sank")
AFTER_MOVES = word_set("""
    above below to after on as in at by from amid ahead over under past near against into higher lower again today
""")
#: Words that join the members of a list.
CONNECTORS = word_set("and or vs versus")
AUXILIARIES = word_set(
    "is was has had will would may might could should can must isn't won't hasn't didn't does did do are"
)
#: Words that a hyphen joins to the name of a company: `Microsoft-backed`.
RELATIONS = word_set("""
    backed owned led run made funded linked controlled branded supplier suppliers affiliated sponsored supported related
    aktie aktien parent rival partner partnered powered tied based listed style chef konzern anteile
""")
LEGAL_FORMS = word_set("""
    anonyme societe societa azioni public aktiengesellschaft gesellschaft inc incorporated corp corporation co company
    plc ltd limited llc lp sa se ag nv ab asa oyj spa kgaa bhd pjsc jsc sab sas sarl gmbh as aps tbk pt ads adr adrs
    ordinary common stock class shares share registered a b c n cv
""")
#: Words at the end of company names that headlines leave out, in addition to the legal form.
GENERIC_ENDINGS = word_set("""
    group holding holdings international global worldwide platforms technologies technology systems software
    semiconductor semiconductors motor motors automotive electronics electric petroleum oil gas resources
    pharmaceuticals pharmaceutical pharma therapeutics biosciences sciences biotech laboratories labs healthcare health
    medical devices instruments industries industrial enterprises brands stores wholesale foods food beverage beverages
    airlines airways airline lines entertainment media communications telecom telecommunications networks network
    financial bancorp bancshares insurance capital partners properties realty trust reit equities services solutions
    products materials chemicals chemical steel mining metals paper packaging hotels resorts interactive digital online
    com corporation companies company retail restaurants restaurant cruise logistics aerospace defense water power
    utilities cruises beauty biologics genomics protocol hub token coin dao finance data cloud security robotics games
    studios soup markets inc corp plc air
""")
#: Words in `GENERIC_ENDINGS` that occur only in names.
CLEAR_ENDINGS = word_set("""
    technologies semiconductor semiconductors pharmaceuticals pharmaceutical therapeutics biosciences bancorp bancshares
    motors airlines airways holdings biotech pharma aerospace
""")
#: First words of foreign names that headlines leave out.
GENERIC_BEGINNINGS = word_set("compagnie compania companhia groupe grupo koninklijke gruppo ap the")
#: Words that always make the name before them that of another organization.
ORGANIZATIONS = word_set("""
    hospitality reit foundation university college museum stadium arena midstream bancorp bancshares institute cathedral
    theatre biologics healthineers library park bowl ventures prize
""")
#: First words of names that are not names by themselves, most of them foreign.
FOREIGN_WORDS = word_set("""
    deutsche banco banca banque groupe grupo compagnie compania societe nippon tokyo hang china bank nova credit caisse
    companhia empresa empresas kongsberg svenska norsk royal saint santa first united american national general tata
    adani sumitomo mitsubishi mitsui korea hindustan bharat indian maruti grand great north south east west san los new
    samsung hyundai posco vanguard ishares spdr invesco proshares direxion wisdomtree schwab fidelity global rio el la
    le
""")
