"""Encoder: a pretrained text encoder, fine-tuned."""
