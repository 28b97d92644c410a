"""The numbers of the layers, sooner: correlation by the algorithm that costs least."""
