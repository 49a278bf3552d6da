"""The work behind `hedgerow schedules`."""
