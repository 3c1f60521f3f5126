"""Commands about the words of alerts: explaining, the phrasebook, training, evaluation."""
