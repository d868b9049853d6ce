"""The steps of the checklist, one file each: every one says which runs it needs given what is known, then reads them."""
