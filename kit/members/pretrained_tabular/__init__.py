"""A network of tables that begins with the weights of an autoencoder."""
