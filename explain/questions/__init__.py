"""Questions about an alert, answered from its facts and the reviewed tables alone."""
