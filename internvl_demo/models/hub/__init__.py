"""Answer with a model by its name: it is looked up, checked, downloaded, loaded, and then answers in this process.

    --model mini-2b | OpenGVLab/InternVL3-1B | /models/my-own

In: a short name, a hub id or a folder. Out: a backend that can be asked from the beginning how far it is.

backend   the stages, in a thread; then `models.local` answers
download  the hub's files: what is needed, what is here, the rest, from where it stopped
checks    what came against the hub's hashes
fits      free disk and memory against what the model takes, in numbers
errors    what the hub and the disk raise -> our errors, each with a next step
"""
