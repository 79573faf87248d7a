"""Measure speed, by commands, as ratios within one run: machines are noisy, ratios less so.

turns            time to first token of turn 2 against turn 1
decode           tokens a second of the in-process backend against `model.generate`
resolution       accuracy at 1 to 40 tiles
stream           CPU and waiting times of the page while many read, against a plain chat
page_memory      what an open page at rest costs in memory
upload           how long a photo of 12 megapixels takes
figures          figures of the resolution scores, and of training's losses
local            loading, memory and answers at a checkpoint's real size, against plain transformers
local_process    one process of that
turbomind        LMDeploy on a GPU: the same answers as in process, and how fast at the 26B's shape
random_weights   a checkpoint of a shape of the family
"""
