"""Show answers: a model's Markdown, formulas, code and grounded phrases as HTML that is safe in a page."""

from internvl_demo.web.markup.answer import AnswerRenderer, Block, render_answer

__all__ = ["AnswerRenderer", "Block", "render_answer"]
