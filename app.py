"""The page's start: settings -> backend -> page -> launch. `python app.py --help` lists every setting.

This is what `make demo` and a Hugging Face Space run.
"""

import sys

if __name__ == "__main__":
    try:
        from internvl_demo.cli import serve_main

        serve_main()
    except KeyboardInterrupt:  # while it is loaded
        sys.exit(130)
