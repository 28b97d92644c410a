"""What is right: continuum responses, documented filters, receptive fields, the exact probe."""
