"""Links headlines to the assets that they name. Pure.

`linker.py` runs the steps. Where a rule or a fact has its place:

- Splitting into words, capitals, slugs: `tokens.py`. What follows from all words together: `headline.py`.
- Notations such as `(NYSE: V)`, `$BTC` and `BTC/USD`: `notation.py`. Which asset a ticker means: `listings.py`. Names
  of exchanges: `exchanges.py`.
- The names of an asset, and how much evidence each needs: `names.py`, with what headlines call well-known assets from
  `known_assets.tsv` (read by `known_assets.py`) and ordinary words from `english.tsv` (read by `english.py`). Names in
  other scripts than Latin: `other_scripts.py`.
- Which names stand in a headline: `name_index.py`. Whether they mean the asset: `name_finder.py`, with points for the
  words around them from `evidence.py` and the reasons against them from `other_meanings.py` and `other_indices.py`. The
  words themselves: `vocabulary.py`. What is known about an asset: `owners.py`.
- Tickers without a notation: `tickers.py`.
"""
