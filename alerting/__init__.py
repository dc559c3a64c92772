"""From evaluations to people: alerts, whom to tell of them and when, and the channels to tell them by."""
