"""Links headlines to the assets that they name. Pure."""
