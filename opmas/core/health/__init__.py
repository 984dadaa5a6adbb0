"""How an agent does: computed from facts with ages, damped, told in sentences."""
