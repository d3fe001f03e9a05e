"""Reading a corpus from disk: known ones, folders, tables, and several as one."""
