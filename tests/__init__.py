"""The tests, in the rooms of the package that they are about. Each reads as a promise, and fails if it is broken.

browser/   everything that opens Chromium
contract/  LMDeploy's own server, without a GPU, in an environment of its own: `make test-contract`
support/   what several tests share: a scripted model and server, pictures, hands on the page
data/      files that tests read
"""
