"""The paper's own experiments (Smith 2018): its tables and figures, each run by the ordinary steps and compared with what it reports."""
