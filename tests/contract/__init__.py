"""The page's side of the contract with LMDeploy 0.18.0, kept by LMDeploy's own code. `make test-contract` runs it.

checkpoint   the miniature as folders in the official InternVL-Chat-V1-5 format, for LMDeploy to open
stub         runs in LMDeploy's environment: `lmdeploy serve api_server`, the miniature in TurboMind's place
servers      starts and ends those servers and HAProxy

Not part of `make test`: LMDeploy has an environment of its own, `.venv-contract`.
"""
