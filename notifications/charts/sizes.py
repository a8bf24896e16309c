"""Sizes that all charts share, in units of the drawing."""

WIDTH, ROW, LEFT, RIGHT = 640, 34, 110, 20
