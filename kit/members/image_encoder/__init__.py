"""ImageEncoder: a network of pictures, fine-tuned."""
