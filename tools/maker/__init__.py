"""The maker's end of the notifications: verifies them and keeps a ledger of every order."""
