"""An alert → a person: Web Push, on-call channels, receipts."""
