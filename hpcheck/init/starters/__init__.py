"""What `hpcheck init` writes as `hpcheck_entry.py`: whole files for the user to change, one for each kind of data. Nothing imports them."""
