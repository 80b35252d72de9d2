"""Coach on MXNet: repaired, with presets loaded, changed and created, and environments checked."""
