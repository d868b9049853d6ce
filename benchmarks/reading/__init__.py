"""The benchmark of reading: curves with known truth, what hpcheck reads from them, and what the peers' published rules answer."""
