"""Many runs: sweeps over seeds, replays, shrinking, comparisons, predictions."""
