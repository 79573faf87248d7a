"""One fuzzer, in libFuzzer's own words: `python -m tests.fuzz.one NAME [-FLAG=VALUE ...] FOLDER ...`."""

import sys

import atheris

with atheris.instrument_imports(include=["internvl_demo"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    atheris.Setup([sys.argv[0], *rest], TARGETS[name])
    atheris.Fuzz()
