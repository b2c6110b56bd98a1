"""Links headlines to the assets that they name. Pure.

`linker.py` runs the steps. The other modules contain these rules and facts:

- `tokens.py` splits a headline into words, and recognizes capitals and slugs. `headline.py` derives what all words
  together show.
- `notation.py` reads notations such as `(NYSE: V)`, `$BTC` and `BTC/USD`. `listings.py` decides which asset a ticker
  means. `exchanges.py` has the names of exchanges.
- `names.py` derives the names of an asset, and how much evidence each name needs. For this purpose,
  `known_assets.py` reads the names of well-known assets in headlines from `known_assets.tsv`, and `english.py` reads
  ordinary words from `english.tsv`. `other_scripts.py` handles names in scripts other than Latin.
- `name_index.py` finds the names in a headline. `name_finder.py` decides whether they mean the asset. It uses points
  for the words around them from `evidence.py`, and the reasons against them from `other_meanings.py` and
  `other_indices.py`. `vocabulary.py` has the words themselves, and `owners.py` has what is known about an asset.
- `tickers.py` finds tickers without a notation.
"""
