"""One patient: episodes as cards, the chart, actions and questions."""
