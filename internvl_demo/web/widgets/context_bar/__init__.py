"""The context bar: what a question takes of the model's context, and what makes it fit."""
