"""All upstreams there are."""

from financehub_simulator.upstreams.binance import BINANCE
from financehub_simulator.upstreams.rss import RSS
from financehub_simulator.upstreams.yahoo import YAHOO

ALL = (BINANCE, YAHOO, RSS)
