"""Tests of names in scripts other than Latin."""

import time

import pytest

from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.market.links.linker import AssetLinker

NAMES = {
    "6758.T": ("Sony Group Corp", "ソニー"),
    "7203.T": ("トヨタ自動車株式会社", "トヨタ"),
    "8473.T": ("SBIホールディングス",),
    "AAPL": ("Apple Inc.", "アップル", "苹果", "애플", "أبل"),
    "META": ("Meta Platforms", "メタ"),
    "YDEX.ME": ("ПАО Яндекс",),
    "PHOR.ME": ("ФосАгро", "Мир"),
    "2222.SR": ("أرامكو السعودية", "أرامكو"),
    "005930.KS": ("삼성전자(주)",),
    "RELIANCE.NS": ("Reliance Industries", "रिलायंस"),
    "TEVA.TA": ("Teva", "טבע"),
    "PTT.BK": ("ปตท",),
}
LINKER = AssetLinker(
    Asset(symbol, AssetType.STOCK, name, aliases=tuple(more)) for symbol, (name, *more) in NAMES.items()
)

#: Assets without aliases, most of them well known.
KNOWN = AssetLinker(
    Asset(symbol, AssetType.CRYPTO if symbol.endswith("-USD") else AssetType.STOCK, name)
    for symbol, name in {
        "7203.T": "Toyota Motor",
        "TSLA": "Tesla",
        "MSFT": "Microsoft",
        "INTC": "Intel",
        "AIR.PA": "Airbus",
        "^GSPC": "S&P 500",
        "^DJI": "Dow Jones Industrial Average",
        "BTC-USD": "Bitcoin",
    }.items()
)


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("ソニー、最高益を更新", "6758.T"),
        ("ソニーグループが続伸", "6758.T"),
        ("ｿﾆｰ株が反発", "6758.T"),
        ("トヨタ自動車、増益", "7203.T"),
        ("トヨタとソニーが提携", "6758.T 7203.T"),
        ("米SBIホールディングスが反落", "8473.T"),
        ("Apple・アップルが新製品", "AAPL"),
        ("パイナップルが高騰", ""),
        ("メタバース関連株", ""),
        ("苹果公司发布新品", "AAPL"),
        ("애플은 신제품을 공개", "AAPL"),
        ("삼성전자는 오늘 실적 발표", "005930.KS"),
        ("Акции Яндекса растут", "YDEX.ME"),
        ("ЯНДЕКС объявил дивиденды", "YDEX.ME"),
        ("Яндексмаркет открыл склад", ""),
        ("Мираж в пустыне", ""),
        ("سهم أرامكو يرتفع", "2222.SR"),
        ("وأرامكو تعلن أرباحها", "2222.SR"),
        ("أرباح أرامكو السعودية", "2222.SR"),
        ("रिलायंस के शेयर में तेजी", "RELIANCE.NS"),
        ("רווחי טבע עולים", "TEVA.TA"),
        ("หุ้นปตทขึ้น", "PTT.BK"),
    ],
)
def test_link_of_a_name_in_another_script_is_that_of_the_whole_word(title: str, symbols: str):
    """N4: a name or alias in any script is linked with its endings, but not as a part of another word."""
    assert " ".join(LINKER.link(title)) == symbols


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("トヨタが増益", "7203.T"),
        ("トヨタ紡織が減益", ""),
        ("特斯拉降价", "TSLA"),
        ("尼古拉·特斯拉的一生", ""),
        ("比特币现金大涨", ""),
        ("比特币大涨", "BTC-USD"),
        ("비트코인캐시 급락", ""),
        ("Биткоина стало больше", "BTC-USD"),
        ("标普500指数收高", "^GSPC"),
        ("标普5000点", ""),
        ("Bus with 500 people", ""),
        ("报道指出需求放缓", ""),
        ("航空客运恢复", ""),
        ("立场稍微软化", ""),
        ("인텔리전스 기업 상장", ""),
    ],
)
def test_link_of_a_well_known_asset_finds_its_names_in_other_scripts(title: str, symbols: str):
    """N4: well-known assets need no aliases for their names in other scripts, and other words stay other words."""
    assert " ".join(KNOWN.link(title)) == symbols


@pytest.mark.parametrize("word", ["ソニ", "ソニー", "Я", "Яндекс", "وأرامكو", "苹"])
def test_link_of_a_long_title_in_another_script_takes_linear_time(word: str):
    """A title of 100,000 characters takes less than a second."""
    started = time.process_time()
    LINKER.link(word * (100_000 // len(word)))
    assert time.process_time() - started < 1
