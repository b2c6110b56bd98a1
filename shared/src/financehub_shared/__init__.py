"""What every FinanceHub service shares; a module earns its place here by having two users."""
