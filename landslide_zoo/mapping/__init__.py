"""Maps of landslides from whole Sentinel-2 scenes."""
