"""The store on PostgreSQL: the same tables and statements, for any number of processes on any number of machines."""
