"""`python -m ablate`."""

from ablate.collecting import importing
from ablate.errors import BadInput
from ablate.unseen import hide_passwords

if __name__ == "__main__":
    try:
        hide_passwords()  # before all that takes time to import
    except BadInput as error:
        from ablate.cli import fail

        fail(str(error))
    with importing():
        from ablate.cli import main

    main()
