"""One training run of the adapter: batches, loss, LoRA weights, loop, checkpoints."""
