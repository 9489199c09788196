"""Labels for a folder of images: asked for in a strategy's order, kept, measured and exchanged."""
