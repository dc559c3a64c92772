"""What the weekly and the monthly report say, and in which forms."""
