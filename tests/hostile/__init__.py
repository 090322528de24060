"""What a grader meets: answers that attack it, honest ones that look odd, and damaged notebooks."""
