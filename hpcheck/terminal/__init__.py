"""What meets the process: stdout, signals, exit codes, progress, the doctor."""
