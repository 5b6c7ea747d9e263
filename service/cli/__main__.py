"""``python -m service.cli`` is ``settle``."""

from service.cli import main

if __name__ == "__main__":
    main()
