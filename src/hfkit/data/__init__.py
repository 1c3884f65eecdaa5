"""Data: any source becomes checked splits with ids and integer labels (`hfkit.data.load`)."""
