"""Examine a model: fresh pictures, whose truth is known, asked about by the same road as a person's questions.

    items   the questions, by skill and language, and what makes an answer right
    marks   how an answer is read: numbers, names, boxes
    run     asks a model, and scores its answers
    page    shows every picture, question and answer as a web page

Seeds, typefaces and half of the backgrounds are such as training never used; phrasings are training's.
"""
