"""What evaluations leave behind: measures together with the rules that they were measured by."""
