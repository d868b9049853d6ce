"""Reading curves from anywhere: files in many formats become curves, and the curves are read and compared as the paper's author does."""
