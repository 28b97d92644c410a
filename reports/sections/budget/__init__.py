"""The error budget: of filters, of layers, and of other supports."""
