"""The black box: each checker holds one promise against what clients saw, by values and times alone."""
