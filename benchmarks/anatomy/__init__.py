"""What is hard about a case: how much each thing that a policy could know or ignore is worth."""
