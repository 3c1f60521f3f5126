"""The one loop of every worker: poll, decode, handle, produce, checkpoint, commit."""
