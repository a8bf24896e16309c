"""Pages behind the links of reminders, and the customer's preferences."""
