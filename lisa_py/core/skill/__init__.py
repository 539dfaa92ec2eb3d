"""Install the skill and compare installed copies with it."""
