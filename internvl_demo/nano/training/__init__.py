"""Train the miniature: lessons -> batches -> a model -> runs/, then assets/nano/.

model     the architecture at small scale, freshly initialised
batches   lessons -> tensors; losses are asked for where the answers stand
data      seeds -> batches
pointing  where a box's words should look
muon      the optimiser of the matrices
parallel  several processes that train as one
recipes   what each stage of training is
learner   the model in training: a batch -> losses
train     the stages, resumable
"""
