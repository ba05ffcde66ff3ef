"""Sides: related tables beside the rows, such as a client's earlier loans; read lazily, never whole in memory."""
