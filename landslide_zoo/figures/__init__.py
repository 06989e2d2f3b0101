"""Pictures from arrays of shape (H, W, 3), uint8, and charts as the bytes of PNG files."""
