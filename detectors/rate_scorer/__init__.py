"""Whether a heart rate is lower than this person's ever is: river's Gaussian scorer."""
