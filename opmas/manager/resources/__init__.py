"""What agents use, read and learned from; kills for memory told from crashes."""
