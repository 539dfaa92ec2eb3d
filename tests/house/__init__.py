"""Rules that hold for the whole house: walls, words, commands alike."""
