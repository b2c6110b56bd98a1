"""Validates quotes and bars before they are stored. docs/data-quality.md has the tables of decisions.

Quotes: `quotes.py` checks one quote by itself, and `quote_decision.py` decides between the quotes of several providers.
It applies the rules of `quote_rules.py` to a case (`quote_case.py`), the evidence of each answer (`quote_evidence.py`)
and the votes of the providers (`quote_votes.py`). `disputes.py` keeps the claims of providers that disagree.

Bars: `bars.py` decides on one answer. It applies the checks of single values (`bar_values.py`), splits
(`bar_splits.py`), units (`bar_units.py`), unexplained levels (`bar_sections.py`) and jumps (`bar_jumps.py`),
and compares the result with the stored bars (`bar_history.py`). `full_reads.py` decides when a whole history is read.
"""
