"""``python -m huiyi`` is the same as ``huiyi``."""

from huiyi.cli import main

if __name__ == "__main__":
    main()
