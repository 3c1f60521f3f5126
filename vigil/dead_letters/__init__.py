"""Dead letters: bounded, kept on the topic or in a folder, read back, and sent again."""
