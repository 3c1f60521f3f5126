"""What people look at: the ward board, the patient page and the patient's phone page."""
