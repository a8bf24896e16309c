"""What people are told: mails from rows."""
