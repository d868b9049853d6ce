"""hpcheck's recommendation beside Optuna's TPE, Hyperband and random search, at a training budget scaled down alike for all."""
