"""Sources of images: files, videos, bags, and a camera that plays them."""
