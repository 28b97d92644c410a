"""Published statements, the records that bear on them, and the rules between the two; no torch."""
