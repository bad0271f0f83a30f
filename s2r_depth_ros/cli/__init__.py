"""The verbs of `s2r`: tools that run the network."""
