"""Plain values turned into pictures: PNG and SVG."""
