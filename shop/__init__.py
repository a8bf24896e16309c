"""The project, and the host shop around the four apps."""
