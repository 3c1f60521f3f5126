"""What all pages share: templates, headers, words for values, and Dash inside a page."""
