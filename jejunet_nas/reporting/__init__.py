"""What people see of a study: tables and figures."""
