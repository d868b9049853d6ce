"""The contest: hpcheck's answers beside random search, TPE and hpcheck of before, on eight small real tasks."""
