"""Recognizes news items that are already known. Pure; `market/news_index.py` stores the keys of known news items.

`known_news.py` decides whether an item is new, and if not, for what reason. `identity.py` computes the keys that it
compares: those of the link, of the guid with the date or title, and of the story. The story is computed from the title
in three steps:

1. `publishers.py` removes what publishers and agencies add (`- Reuters`, `UPDATE 1-`), and `tickers.py` removes
   tickers.
2. `titles.py` splits the rest into words, with a uniform spelling of numbers and amounts, and selects the story words.
3. `words.py` has the words that are not story words, the words that count as equal, and the words that are too general
   to identify a story.
"""
