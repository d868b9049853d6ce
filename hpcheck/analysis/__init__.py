"""Reading curves: smoothing, noise, clues and the one decision rule. Numpy and scipy only; arrays in, plain values out."""
