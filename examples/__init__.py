"""Apps that show how to use Forecourt; the wheel carries them as `operations.examples`."""
