"""What runs inside the user's process: the follower and its courses. Imports torch, which the script has imported already."""
