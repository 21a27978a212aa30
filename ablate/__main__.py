"""`python -m ablate`."""

from ablate.unseen import hide_passwords

if __name__ == "__main__":
    hide_passwords()  # before all that takes time to import
    from ablate.cli import main

    main()
