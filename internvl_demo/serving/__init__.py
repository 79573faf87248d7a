"""Starts LMDeploy on this machine's GPUs, watches it, and ends it with the app.

capacity   what fits into a GPU's memory: arithmetic, and the refusal
gpus       how much memory this machine's GPUs have free
command    settings -> the arguments of `lmdeploy serve api_server`
progress   a line of LMDeploy's log -> what it does
launch     starts it, says how far it is, restarts it when it dies or stalls, ends it
minder     the process in between, which leaves nothing behind even when the app is killed

Not here: asking the server anything; that is `backends/server`.
"""
