"""What is done about an agent that fails: the ladder, its policy, its limits, its alerts."""
