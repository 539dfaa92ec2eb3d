"""The face: the only room that knows click and stdout."""
