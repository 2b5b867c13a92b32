"""Text that leaves or comes in: secrets taken out of it, what hides in it shown, what may not leave found; pure."""
