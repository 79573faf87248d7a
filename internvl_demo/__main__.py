"""`python -m internvl_demo`: see `cli`."""

import sys

if __name__ == "__main__":
    try:
        from internvl_demo.cli import main

        main()
    except KeyboardInterrupt:  # while it is loaded
        sys.exit(130)
