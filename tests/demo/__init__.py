"""The demo. A package, so that the one that its tests ask ends with them."""
