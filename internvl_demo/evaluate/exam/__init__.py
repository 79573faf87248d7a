"""The exam: fresh pictures, whose truth is known, asked about by the same road as a person's questions.

    items   what is asked, by skill and language, and what makes an answer right
    marks   reading an answer: numbers, names, boxes
    run     asks a model, and scores what it says
    page    every picture, question and answer as a web page

Seeds, typefaces and half of the backgrounds are such as training never used; phrasings are training's.
"""
