"""The page's start: settings -> backend -> page -> launch. `python app.py --help` lists every setting.

This is what `make demo` and a Hugging Face Space run.
"""

from internvl_demo.cli import serve_main

if __name__ == "__main__":
    serve_main()
