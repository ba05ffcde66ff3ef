"""TextNet: text networks that are trained from scratch."""
