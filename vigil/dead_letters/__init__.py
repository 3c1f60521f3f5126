"""What was refused: kept, bounded, on the topic or in a folder, and sent again."""
