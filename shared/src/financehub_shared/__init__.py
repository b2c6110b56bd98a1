"""The code that FinanceHub's services share. A module belongs here if at least two of them use it."""
