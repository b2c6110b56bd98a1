"""Tests of names that also occur in headlines as amounts, verbs, acronyms, persons, or parts of other names."""

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import load_assets
from financehub_shared.market.links.linker import AssetLinker
from support.headlines import FOLDER

LINKER = AssetLinker(load_assets(FOLDER / "assets.yaml"))

#: Row L14: digits with a unit are an amount, unless the words around them show a company.
AMOUNTS = [
    ("Startup Raises $3M For Farm Robots", ""),
    ("Biotech secures €3M grant", ""),
    ("EUR 3M fine for Dutch grocer", ""),
    ("US$3M settlement ends dispute over dam", ""),
    ("Rs 3M prize for young coder", ""),
    ("Director buys 3M shares of regional bank", ""),
    ("Oil inventories fell by 3M barrels last week", ""),
    ("City to plant 3M trees", ""),
    ("Streaming service adds 3M subscribers", ""),
    ("Nearly 3M Workers Strike Across India", ""),
    ("Fundraiser tops 3M as donors rally", ""),
    ("3M people flee floods", ""),
    ("3M shares rise after verdict", "MMM"),
    ("3M to pay $10 billion over forever chemicals", "MMM"),
    ("3M's outlook disappoints", "MMM"),
    ("3M Co. names finance chief", "MMM"),
    ("3M raises its full-year forecast", "MMM"),
    ("Judge clears 3M earplug settlement", "MMM"),
    ("Post-it maker 3M cuts jobs", "MMM"),
    ("Honeywell, 3M lead industrials higher", "MMM"),
    ("3M (NYSE: MMM) Beats Estimates", "MMM"),
    ("Startup Nabs $2.3M, Eyes Growth", ""),
    ("Fund buys 3M Nvidia shares", "NVDA"),
    ("Firm raises 3M in seed round", ""),
    ("EPA fines 3M", "MMM"),
    ("Court rejects 3M bankruptcy plan", "MMM"),
    ("Is 3M a Buy?", "MMM"),
]
#: Row L15: a plural noun and a base form are subject and verb.
SUBJECTS = [
    ("Acme Mining (ASX:ACM) Shares Gap Down To $4.10", ""),
    ("Dorvel Bancorp Stock Gap Up", ""),
    ("Shares Gap Higher At The Open", ""),
    ("Stocks Snap Three-Week Losing Run", ""),
    ("Asian Shares Snap Five-Day Slide", ""),
    ("Bonds And Stocks Target Fresh Peaks", ""),
    ("UK Shares Intel With Poland On Drones", ""),
    ("Rivals Target Streaming Crown", ""),
    ("Suppliers Block Factory Gates", ""),
    ("Ford Motor (NYSE:F) Shares Gap Up To $13.20", "F"),
    ("Shares of Gap jump after results", "GAP"),
    ("Shares in Target slip", "TGT"),
    ("Retailer Target cuts prices", "TGT"),
    ("Rivals Target and Walmart cut prices", "TGT WMT"),
    ("Gap Shares Jump On Upbeat Outlook", "GAP"),
    ("Gap Up 12% On Strong Comps", "GAP"),
    ("Target Shares Gap Lower", "TGT"),
    ("Gap Stock Jumps 20%", "GAP"),
]
#: Row L15: any plural noun is a subject in title case, unless the name has its own verb or the noun is counted.
PLURAL_SUBJECTS = [
    ("Ministers Block Sale Of Steel Plant", ""),
    ("Bond Funds Snap Losing Run", ""),
    ("Hackers Target Shares Of Small Banks", ""),
    ("Traders Target Is Lower Yields", ""),
    ("4 Reasons Target Shares Could Double", "TGT"),
    ("Shares Of Target Rally", "TGT"),
    ("Sources: Block Raises Outlook", "XYZ"),
    ("Next Raises Its Dividend", "NXT.L"),
    ("Next Raises The Bar", ""),
]
#: Row L6: prizes, funds of other companies, and places in another country.
LONGER_NAMES = [
    ("Goldman Literary Prize goes to poet", ""),
    ("Goldman Prize shortlist announced", ""),
    ("Delta Income Fund (NYSEARCA: DIFX) pays distribution", ""),
    ("Delta to fund new lounges at JFK", "DAL"),
    ("Quake felt near Santander, Colombia", ""),
    ("Santander, BBVA raise dividends", "SAN.MC"),
    ("Nike missile site sold", ""),
    ("Wells Fargo, Citi and Bank of America lift rates", "BAC C WFC"),
    ("Citi, Wells cut jobs", "C WFC"),
    ("Wells dry up across Punjab", ""),
]
#: Row L16: a word in capitals that is not an acronym of the asset, and acronyms with another meaning.
ACRONYMS = [
    ("SNAP recipients face new work rules", ""),
    ("States sue over SNAP funding", ""),
    ("USDA tells states to pay partial SNAP benefits", ""),
    ("SNAP cuts hit grocers", ""),
    ("SNAP jumps 12% after results", "SNAP"),
    ("Snap shares sink on weak forecast", "SNAP"),
    ("SNAP TO CUT JOBS AS ADS SLOW", "SNAP"),
    ("Yankees part ways with GM Brian Cashman", ""),
    ("Lakers name GM Rob Pelinka president", ""),
    ("Regulators weigh GM wheat for food", ""),
    ("GM seeds reach more farms", ""),
    ("GM mosquitoes released in Florida", ""),
    ("GM recalls 40,000 pickups", "GM"),
    ("GM CEO Mary Barra sees strong demand", "GM"),
    ("UAW reaches deal with GM", "GM"),
    ("New pill lowers BP in older adults", ""),
    ("High BP linked to dementia in patients", ""),
    ("BP raises dividend", "BP.L"),
    ("Voters head to polls as GE campaign ends", ""),
    ("GE lifts profit forecast on jet engines", "GE"),
    ("SNAP Stock Falls On Ad Weakness", "SNAP"),
    ("SNAP Inc. To Cut 20% Of Staff", "SNAP"),
    ("META To Cut Jobs", "META"),
    ("GM Recalls Silverado Trucks", "GM"),
    ("GM Korea workers strike", "GM"),
    ("BP and Shell cut jobs", "BP.L SHEL.L"),
]
#: Row L7: phrases that are usual in headlines about earnings.
EARNINGS = [
    ("Gap beats on revenue", "GAP"),
    ("Target Misses On Earnings", "TGT"),
    ("Gap same-store sales rise", "GAP"),
    ("Target comps fall for a third quarter", "TGT"),
    ("Target Non-GAAP EPS of $2.05 beats by $0.10", "TGT"),
    ("Drummer beats on a target", ""),
    ("Block trades dominate the session", ""),
]
#: Row L17: an auxiliary counts with the verb after it.
AUXILIARIES = [
    ("Target Is Hiring 100,000 Seasonal Workers", "TGT"),
    ("Visa Is Launching A Stablecoin Card", "V"),
    ("Gap Is Opening 30 Stores", "GAP"),
    ("Next Is Buying A Rival Fashion Chain", "NXT.L"),
    ("Target Has Raised Its Starting Pay", "TGT"),
    ("Block Has Cut 900 Jobs", "XYZ"),
    ("Visa Could Buy A Fintech", "V"),
    ("Target Will Open 20 Stores", "TGT"),
    ("Gap May Sell A Brand", "GAP"),
    ("Visa Is Needed For Travel To China", ""),
    ("Visa Will Be Required For Visitors", ""),
    ("The Gap Is Closing Between Rich And Poor", ""),
    ("Gap Is Widening In Primary Schools", ""),
    ("The Target Is Moving", ""),
    ("Next Is A Hard Winter", ""),
    ("A Visa Will Cost More", ""),
    ("Gap Is Closing Fast", ""),
    ("Gap Will Close 300 Stores", "GAP"),
    ("Strategy Is Working", ""),
    ("Orange Is The New Black Star Returns", ""),
    ("Visa Has Agreed To Buy A Startup", "V"),
    ("What Comes Next Is Making Investors Nervous", ""),
    ("What Happens Next Will Test The Fed", ""),
    ("Visa Is Getting Harder To Get", ""),
    ("Orange Will Make You Healthy", ""),
    ("Gap Will Hit Low-Income Pupils", ""),
    ("Target Is Getting A New CEO", "TGT"),
    ("Oracle Is Building A Data Center", "ORCL"),
]
#: Row L18: other things that have the name of an index.
INDICES = [
    ("Dow Jones CEO to step down", ""),
    ("Dow Jones, publisher of Barron's, hires editor", ""),
    ("Dow Jones, owner of MarketWatch, buys data firm", ""),
    ("News Corp unit Dow Jones sues AI startup", ""),
    ("Dow Jones Utility Average hits record", ""),
    ("Dow Jones U.S. Real Estate Index slips", ""),
    ("Hang Seng China Enterprises Index falls 1%", ""),
    ("Nasdaq Biotechnology Index slides", ""),
    ("Nikkei: Panasonic to cut jobs", ""),
    ("Nikkei: Index closes at record", "^N225"),
    ("Nikkei: Stocks fall 2% on yen", "^N225"),
    ("Dow Jones Industrial Average slips", "^DJI"),
    ("Dow Jones falls 300 points", "^DJI"),
    ("Hang Seng Index rises 2%", "^HSI"),
    ("Nasdaq Composite Index rallies", "^IXIC"),
    ("Dax schliesst fester", "^GDAXI"),
    ("Der Dax steigt auf Rekord", "^GDAXI"),
    ("Dax legt zu", "^GDAXI"),
    ("Nikkei fällt deutlich", "^N225"),
    ("Le Nasdaq recule", "^IXIC"),
    ("El Nasdaq cierra en máximos", "^IXIC"),
    ("Dax Harwood wins title match", ""),
    ("Dow Jones Sues Startup", ""),
    ("Dow Jones Futures Slip", "^DJI"),
    ("Nasdaq Golden Dragon China Index Jumps", ""),
    ("Nikkei Stock Average Ends Higher", "^N225"),
    ("Dow Jones fecha em alta", "^DJI"),
    ("Dow Jones arm of News Corp hires editor", ""),
]
#: Row L6: subsidiaries, branches in other countries that are listed, and places.
OTHERS = [
    ("Siemens Deutschland wins rail order", ""),
    ("Orange Polska raises guidance", ""),
    ("Orange Belgium posts profit", ""),
    ("Santander Chile lifts dividend", ""),
    ("Telefonica Deutschland sheds staff", ""),
    ("Santander Bank Polska sells unit", ""),
    ("Tencent Music beats estimates", ""),
    ("Alibaba Health shares jump", ""),
    ("Alibaba Pictures renames itself", ""),
    ("Coca-Cola Icecek volumes rise", ""),
    ("Philip Morris CR pays dividend", ""),
    ("Boeing Field runway reopens", ""),
    ("Exxon Valdez captain dies", ""),
    ("Solana Beach votes on bluff homes", ""),
    ("Santander cuts jobs in Brazil", "SAN.MC"),
    ("Amazon India hires drivers", "AMZN"),
    ("Alibaba shares jump", "9988.HK"),
    ("BMW Deutschland hires", ""),
    ("Procter & Gamble Health lifts dividend", ""),
]
#: Row L11: tickers of funds.
FUNDS = [
    ("QQQ vs. SCHG: Which Fund Wins?", "QQQ"),
    ("SPY sees record inflows", "SPY"),
    ("SPY draws most cash since 2021", "SPY"),
    ("Is SPY or VTI the better pick?", "SPY"),
    ("VOO, SPY, IVV: what long-term savers should know", "SPY VOO"),
    ("SPY AGENCY CHIEF QUITS AFTER LEAK ROW", ""),
    ("Spy chief warns of attack", ""),
    ("SPY: Time To Sell", "SPY"),
    ("BREAKING: SPY opens lower", "SPY"),
]
#: Row L6: a given name before a name makes it a person.
PERSONS = [
    ("Mark Ford joins bank board", ""),
    ("Jack Ford's estate sold", ""),
    ("Rob Lowe's new show", ""),
    ("Frank McDonald's novel wins prize", ""),
    ("William Boeing founded a flying school", ""),
    ("Michael Gartner buys a ball club", ""),
    ("Bill Ford defends tariffs", ""),
    ("Grant Ford wins race", ""),
    ("Will Ford Cut Its Dividend?", "F"),
    ("Will Ford survive the price war?", "F"),
    ("May Boeing deliveries rise", "BA"),
    ("Analysts mark Ford down", "F"),
    ("Tom Boeing's memoir", ""),
    ("Mark Zuckerberg's Meta cuts jobs", "META"),
    ("Chase Visa card fees rise", "V"),
]


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        *AMOUNTS,
        *SUBJECTS,
        *ACRONYMS,
        *AUXILIARIES,
        *EARNINGS,
        *INDICES,
        *OTHERS,
        *FUNDS,
        *PERSONS,
        *PLURAL_SUBJECTS,
        *LONGER_NAMES,
    ],
)
def test_link_of_an_ambiguous_name_follows_the_words_around_it(title: str, symbols: str):
    """N2, N3, N4: the words around a name show whether it means the asset or something else."""
    assert " ".join(LINKER.link(title)) == symbols


def test_link_of_a_fund_whose_name_begins_like_a_company_leaves_out_the_company():
    """N3: the ticker of another asset follows the whole name, so `Fund` is a part of it and not a verb."""
    linker = AssetLinker([Asset("F", AssetType.STOCK, "Ford Motor Company")])
    assert linker.link("Ford Equity Fund (NYSEARCA: FEF) Announces Distribution") == ()
    assert linker.link("Ford Motor (NYSE: F) Announces Distribution") == ("F",)


def test_link_of_a_known_fund_without_a_name_reads_its_ticker_as_that_of_a_fund():
    """N2, row L11: a plain entry `{symbol: SPY, type: stock}` is linked like one with the name of the fund."""
    assert AssetLinker([Asset("SPY", AssetType.STOCK)]).link("SPY sees record inflows") == ("SPY",)


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Litecoin eyes $100", "LTC-USD"),
        ("Litecoin (LTC) rallies", "LTC-USD"),
        ("LTC Properties raises dividend", "LTC"),
        ("Nursing home owner (NYSE: LTC) raises dividend", "LTC"),
        ("Solana rallies", "SOL-USD"),
        ("SOL token jumps", "SOL-USD"),
        ("Bitcoin rally lifts $SOL", "SOL-USD"),
        ("$SOL shares jump on solar order", "SOL"),
        ("Emeren Group Ltd (SOL) falls", "SOL"),
        ("Compound (COMP) fixes bug", "COMP-USD"),
        ("COMP token jumps", "COMP-USD"),
        ("Compass, Inc. (COMP) lifts outlook", "COMP"),
    ],
)
def test_link_of_a_ticker_that_a_company_and_a_coin_share_follows_the_headline(title: str, symbols: str):
    """N3: a company does not get the names of the coin with its ticker, and does not hide the coin."""
    stocks = {"LTC": "LTC Properties", "SOL": "Emeren Group", "COMP": "Compass, Inc."}
    coins = {"LTC-USD": "Litecoin", "SOL-USD": "Solana", "COMP-USD": "Compound"}
    assets = [Asset(symbol, AssetType.STOCK, name) for symbol, name in stocks.items()]
    assets += [Asset(symbol, AssetType.CRYPTO, name) for symbol, name in coins.items()]
    assert " ".join(AssetLinker(assets).link(title)) == symbols
