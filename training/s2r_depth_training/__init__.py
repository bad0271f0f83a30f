"""Training of S2R-DepthNet from synthetic images alone."""
