"""The list of all simulated upstreams."""

from financehub_simulator.upstreams.binance import BINANCE
from financehub_simulator.upstreams.coingecko import COINGECKO
from financehub_simulator.upstreams.finnhub import FINNHUB
from financehub_simulator.upstreams.gdelt import GDELT
from financehub_simulator.upstreams.kraken import KRAKEN
from financehub_simulator.upstreams.rss import RSS
from financehub_simulator.upstreams.yahoo import YAHOO

ALL_UPSTREAMS = (BINANCE, COINGECKO, KRAKEN, YAHOO, FINNHUB, RSS, GDELT)
