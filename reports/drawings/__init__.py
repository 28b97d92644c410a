"""How the figures are drawn."""
