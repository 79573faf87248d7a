"""Start LMDeploy on this machine's GPUs, watch it, and end it with the app.

In: the settings. Out: a backend whose server is started, restarted and ended for it; or the reason why it cannot be.

backend     answers with the server, asked through `models.openai`
capacity    what fits into a GPU's memory: arithmetic, and the refusal
gpus        how much memory this machine's GPUs have free
command     settings -> the arguments of `lmdeploy serve api_server`
progress    a line of LMDeploy's log -> what the server is doing
launch      starts it, reports its progress, restarts it when it dies or stalls, ends it
supervisor  the process in between, which leaves nothing behind even when the app is killed

Not here: asking the server anything; that is `models.openai`.
"""
