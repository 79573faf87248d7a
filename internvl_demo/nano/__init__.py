"""Make the miniature: InternVL 1.5 small enough to ship, and the recipe that trained it.

In: seeds. Out: drawn pictures with their exact truth, lessons about them, and the weights in assets/nano/.

world/     pictures drawn by a program: objects, print, charts; seed -> picture and exact truth
lessons/   questions about pictures and their answers, in English and Chinese
training/  lessons -> a trained model
tokenizer  byte-level BPE with the template's control tokens
shape      numbers that several modules need: patches a side, visual tokens a tile
examples   the page's examples, drawn

The miniature knows drawn pictures only; it makes no attempt at photographs of the world. The finished model is
loaded by `models/local/` like any other InternVL checkpoint and needs nothing of this folder. Its exam is
`evaluate/exam/`.
"""
