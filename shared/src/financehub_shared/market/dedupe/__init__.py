"""Recognizes news items that are already known. Pure; `market/news_index.py` keeps what must be known.

`known_news.py` decides whether an item is new, and why not. `identity.py` computes the keys that it compares: the link,
the guid with evidence, and the story. A story is computed from the title in three steps:

1. `publishers.py` removes what publishers and agencies add (`- Reuters`, `UPDATE 1-`), `tickers.py` removes tickers.
2. `titles.py` splits the rest into words with one spelling of numbers and amounts.
3. `words.py` has the words that do not count, and those that are equal or say nothing.
"""
