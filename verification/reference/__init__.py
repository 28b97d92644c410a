"""What is right, in closed form: images that rescale exactly, their responses, their filters."""
