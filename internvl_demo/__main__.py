"""`python -m internvl_demo`: see `cli`."""

from internvl_demo.cli import main

if __name__ == "__main__":
    main()
