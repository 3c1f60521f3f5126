"""Who is to be notified of what, decided on the stream."""
