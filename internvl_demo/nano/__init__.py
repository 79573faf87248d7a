"""The miniature: InternVL 1.5 small enough to ship, and the recipe that made it.

    world/      pictures drawn by a program: objects, print, charts; seed -> picture and exact truth
    lessons/    questions about pictures and their answers, in English and Chinese
    tokenizer   byte-level BPE with the template's control tokens
    model       the architecture at small scale, freshly initialised
    shape       numbers that several rooms need: patches a side, visual tokens a tile
    batches     lessons -> tensors; losses are asked for where the answers stand
    data        seeds -> batches
    muon        the optimiser of the matrices
    parallel    several processes that train as one
    recipes     what each stage of training is
    learner     the model in training: a batch -> losses
    train       the stages, resumable                    -> runs/, then assets/nano/
    exam/       fresh pictures, asked about through the same road as a person's questions
    examples    the page's examples, drawn

What it sees, it sees; it makes no attempt at photographs of the world. The finished model is loaded by
`backends/local.py` like any other InternVL checkpoint and needs nothing of this folder.
"""
