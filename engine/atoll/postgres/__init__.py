"""Everything that speaks SQL: pools, schema, the writer, capture and copy, and the launcher of servers."""
