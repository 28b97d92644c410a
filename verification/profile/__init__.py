"""Where a network loses scale: any network, layer by layer, with nothing declared."""
