"""From the features of a point to its density and colour: encoding, fusion transformer, NeRF decoder."""
