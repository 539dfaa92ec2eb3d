"""The skill that tells agents how to use lisa: install it, compare it, bring edits back."""
